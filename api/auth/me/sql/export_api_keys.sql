SELECT id, name, scopes, created_at, expires_at, last_used_at, revoked_at
FROM auth.api_keys
WHERE user_id = auth.this_user()
  AND id > coalesce($2, '')
ORDER BY id
LIMIT $1
