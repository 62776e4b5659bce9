SELECT id, command, body, created_at
FROM auth.outbox
WHERE user_id = auth.this_user()
ORDER BY created_at, id
