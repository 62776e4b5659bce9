UPDATE auth.two_factor_auth
SET last_step = $2, failures = 0, locked_until = NULL
WHERE user_id = $1
