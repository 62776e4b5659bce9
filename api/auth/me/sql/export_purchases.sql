SELECT id, package_id, credits, price_euro_cents, amount, currency, origin, status, stripe_checkout_session_id,
       stripe_payment_intent_id, checkout_url, refunds::json AS refunds, disputes::json AS disputes, taken, debt,
       written_off, held, client_key, created_at, completed_at
FROM credits.purchases
WHERE account_id = auth.this_user()
  AND (created_at, id) > (coalesce($2, '-infinity'::timestamptz),
                          coalesce($3, '00000000-0000-0000-0000-000000000000'::uuid))
ORDER BY created_at, id
LIMIT $1
