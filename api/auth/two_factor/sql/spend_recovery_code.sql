UPDATE auth.two_factor_auth
SET recovery_hashes = array_remove(recovery_hashes, $2::bytea), failures = 0, locked_until = NULL
WHERE user_id = $1
