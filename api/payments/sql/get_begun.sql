SELECT id, package_id, credits, price_euro_cents, amount, currency, status, stripe_checkout_session_id,
       stripe_payment_intent_id, checkout_url, checkout_attempt, request_hash, created_at, completed_at, debt,
       created_at > now() - interval '25 minutes' AS fresh
FROM credits.purchases
WHERE account_id = $1 AND id = $2
