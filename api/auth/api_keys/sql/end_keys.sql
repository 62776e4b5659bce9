-- Those that are good now: one that is expired says nothing of who ended it.
UPDATE auth.api_keys SET revoked_at = now()
WHERE user_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
RETURNING id
