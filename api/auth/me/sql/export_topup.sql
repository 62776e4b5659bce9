SELECT below, package_id, most_per_month, enabled, stripe_payment_method_id, disabled_reason, created_at, updated_at
FROM credits.topups
WHERE account_id = auth.this_user()
