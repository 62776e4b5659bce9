-- As the package is sold: it may have changed since it was read. The same is the rule of the database for this role.
INSERT INTO credits.purchases (account_id, id, package_id, credits, price_euro_cents, amount, currency, request_hash,
    client_key, status, origin, created_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, 'pending', 'checkout', now()
FROM credits.packages LEFT JOIN credits.package_prices AS prices
    ON prices.package_id = packages.id AND prices.currency = $7
WHERE packages.id = $3 AND packages.active AND packages.credits = $4 AND packages.price_euro_cents = $5
  AND CASE WHEN $7 = 'eur' THEN packages.price_euro_cents ELSE prices.amount END = $6
RETURNING id, package_id, credits, price_euro_cents, amount, currency, status, stripe_checkout_session_id,
       stripe_payment_intent_id, checkout_url, checkout_attempt, request_hash, created_at, completed_at, debt,
       created_at > now() - interval '25 minutes' AS fresh
