SELECT enabled_at, created_at, failures, locked_until, cardinality(recovery_hashes) AS recovery_codes_left
FROM auth.two_factor_auth
WHERE user_id = auth.this_user()
