SELECT id, command, body, created_at
FROM auth.outbox
WHERE user_id = auth.this_user()
  AND (created_at, id) > (coalesce($2, '-infinity'::timestamptz),
                          coalesce($3, '00000000-0000-0000-0000-000000000000'::uuid))
ORDER BY created_at, id
LIMIT $1
