-- Purchases by their payment, and by user and id.
SELECT
    purchase.account_id::text AS account_id, purchase.id::text AS id, purchase.amount AS cents, purchase.currency,
    purchase.paid, purchase.stripe_payment_intent_id AS payment, purchase.refunds::text AS refunds,
    purchase.disputes::text AS disputes
FROM (
    SELECT by_payment.account_id, by_payment.id
    FROM unnest($1::text[]) AS wanted (payment)
    JOIN credits.purchases AS by_payment ON by_payment.stripe_payment_intent_id = wanted.payment
    UNION
    SELECT account_id, id FROM unnest($2::uuid[], $3::uuid[]) AS wanted (account_id, id)
) AS found
JOIN credits.purchases AS purchase ON purchase.account_id = found.account_id AND purchase.id = found.id
