-- The newest, so that a click is answered like the one before it. A declined card makes a purchase failed, and its page
-- is paid all the same by another card: a second one beside it would be paid twice. $3 begins the key that the
-- ledger has once a session is over.
SELECT id, package_id, credits, price_euro_cents, amount, currency, status, stripe_checkout_session_id,
       stripe_payment_intent_id, checkout_url, checkout_attempt, request_hash, created_at, completed_at, debt,
       created_at > now() - interval '25 minutes' AS fresh
FROM credits.purchases
WHERE account_id = $1 AND request_hash = $2 AND created_at > now() - interval '25 minutes'
  AND (status = 'pending' OR (status = 'failed' AND checkout_url IS NOT NULL AND NOT EXISTS (
      SELECT FROM credits.keys
      WHERE keys.account_id = $1 AND keys.idempotency_key = $3 || stripe_checkout_session_id)))
ORDER BY created_at DESC
LIMIT 1
