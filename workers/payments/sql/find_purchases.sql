-- Purchases by their payment, by their checkout, and by user and id.
SELECT
    purchase.account_id::text AS account_id, purchase.id::text AS id, purchase.amount, purchase.currency, purchase.paid,
    purchase.stripe_payment_intent_id AS payment_intent, purchase.stripe_checkout_session_id AS session
FROM (
    SELECT by_payment.account_id, by_payment.id
    FROM unnest($1::text[]) AS wanted (payment_intent)
    JOIN credits.purchases AS by_payment ON by_payment.stripe_payment_intent_id = wanted.payment_intent
    UNION
    SELECT by_session.account_id, by_session.id
    FROM unnest($2::text[]) AS wanted (session)
    JOIN credits.purchases AS by_session ON by_session.stripe_checkout_session_id = wanted.session
    UNION
    SELECT account_id, id FROM unnest($3::uuid[], $4::uuid[]) AS wanted (account_id, id)
) AS found
JOIN credits.purchases AS purchase ON purchase.account_id = found.account_id AND purchase.id = found.id
