-- Purchases that should have ended: without a session an hour after their beginning, when no session can be paid any
-- more; with one a day later, when its event must have come. Top-ups end by themselves, unless they are forgotten.
SELECT account_id::text AS account_id, id::text AS id, stripe_checkout_session_id AS session, now() - created_at AS age
FROM credits.purchases AS purchase
WHERE status = 'pending' AND created_at < now() - interval '1 h'
    AND (stripe_checkout_session_id IS NULL
        OR (created_at < now() - interval '25 h' AND starts_with(stripe_checkout_session_id, $2)))
    AND id <> ALL ($1::text[]::uuid[])
    AND NOT EXISTS (
        SELECT FROM credits.topup_payments AS payment WHERE payment.purchase_id = purchase.id AND payment.state <> 'over')
ORDER BY created_at
LIMIT $3
