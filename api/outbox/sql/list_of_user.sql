SELECT id, user_id, command, body
FROM auth.outbox
WHERE user_id = $1
ORDER BY created_at, id
