UPDATE auth.two_factor_auth
SET recovery_hashes = $2
WHERE user_id = $1
