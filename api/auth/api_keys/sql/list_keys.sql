-- Those that are not revoked, the newest first; an expired one is listed until it is.
SELECT id, name, scopes, created_at, expires_at, last_used_at
FROM auth.api_keys
WHERE user_id = $1 AND revoked_at IS NULL
ORDER BY created_at DESC, id
