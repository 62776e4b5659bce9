UPDATE auth.two_factor_auth
SET enabled_at = now(), last_step = $2, recovery_hashes = $3
WHERE user_id = $1
