-- Failures that the broker or the ledger does not know of yet, for one worker. Each try waits longer for the next.
WITH due AS MATERIALIZED (
    SELECT purchase_id FROM credits.topup_payments
    WHERE state = 'failed' AND due_at <= now()
    ORDER BY due_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
UPDATE credits.topup_payments AS payment
SET tries = payment.tries + 1, due_at = now() + least(interval '2 s' * 2 ^ least(payment.tries, 10), interval '60 s')
FROM due, credits.purchases AS purchase
WHERE payment.purchase_id = due.purchase_id
  AND purchase.account_id = payment.account_id AND purchase.id = payment.purchase_id
RETURNING payment.purchase_id::text AS purchase_id, payment.account_id::text AS account_id, purchase.package_id,
          payment.stripe_payment_intent_id AS intent, payment.reason, payment.failed_at,
          payment.told_at IS NOT NULL AS told, purchase.status = 'pending' AS pending, payment.tries
