-- The payments that Stripe is to be asked for now, for one worker: nobody else asks until $3 has passed.
WITH due AS MATERIALIZED (
    SELECT purchase_id FROM credits.topup_payments
    WHERE state = 'asking' AND livemode = $1 AND due_at <= now()
    ORDER BY due_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
UPDATE credits.topup_payments AS payment SET tries = payment.tries + 1, due_at = now() + $3::interval
FROM due, credits.purchases AS purchase
WHERE payment.purchase_id = due.purchase_id
  AND purchase.account_id = payment.account_id AND purchase.id = payment.purchase_id
RETURNING payment.purchase_id::text AS purchase_id, payment.account_id::text AS account_id,
          payment.stripe_customer_id AS customer, payment.stripe_payment_method_id AS payment_method,
          purchase.amount, purchase.currency, payment.tries, now() - payment.begun_at AS age
