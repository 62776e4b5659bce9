SELECT id::text AS id, account_id::text AS user_id, package_id, credits, price_euro_cents, amount, currency, status,
       origin, paid, stripe_checkout_session_id, stripe_payment_intent_id, refunds::text AS refunds,
       disputes::text AS disputes, taken, debt, written_off, held, created_at, completed_at
FROM auth.admin_get_purchase($1)
