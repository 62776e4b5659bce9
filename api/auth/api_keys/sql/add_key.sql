INSERT INTO auth.api_keys (id, user_id, name, hash, scopes, expires_at)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING id, name, scopes, created_at, expires_at, last_used_at
