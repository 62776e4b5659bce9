INSERT INTO credits.purchases (account_id, id, package_id, credits, price_euro_cents, amount, currency, request_hash,
    client_key, status, origin, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'pending', 'checkout', now())
RETURNING id, package_id, credits, price_euro_cents, amount, currency, status, stripe_checkout_session_id,
       stripe_payment_intent_id, checkout_url, checkout_attempt, request_hash, created_at, completed_at, debt,
       created_at > now() - interval '25 minutes' AS fresh
