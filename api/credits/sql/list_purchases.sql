SELECT id::text AS id, package_id, credits, price_euro_cents, amount, currency, status, stripe_checkout_session_id,
       stripe_payment_intent_id, created_at, completed_at, debt
FROM credits.purchases
WHERE account_id = $1
ORDER BY created_at DESC, purchases.id DESC
LIMIT $2
