-- The newest, so that a click is answered like the one before it.
SELECT id, package_id, credits, price_euro_cents, amount, currency, status, stripe_checkout_session_id,
       stripe_payment_intent_id, checkout_url, checkout_attempt, request_hash, created_at, completed_at, debt,
       created_at > now() - interval '25 minutes' AS fresh
FROM credits.purchases
WHERE account_id = $1 AND request_hash = $2 AND status = 'pending' AND created_at > now() - interval '25 minutes'
ORDER BY created_at DESC
LIMIT 1
