SELECT user_id, hash, scopes, created_at, expires_at, noted FROM auth.find_api_key($1)
