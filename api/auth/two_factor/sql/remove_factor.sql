DELETE FROM auth.two_factor_auth
WHERE user_id = $1
