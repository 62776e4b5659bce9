-- What the front did not deliver itself, oldest first, from where the last page ended.
SELECT id, user_id, command, body, created_at
FROM auth.outbox
WHERE created_at <= now() - $1::interval AND (created_at, id) > ($2, $3)
ORDER BY created_at, id
LIMIT $4
