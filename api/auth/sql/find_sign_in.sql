SELECT user_id, password_hash, banned
FROM auth.find_sign_in($1)
