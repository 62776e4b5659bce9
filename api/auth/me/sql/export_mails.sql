SELECT id, kind, email, details, created_at, due_at, attempts
FROM auth.mails
WHERE user_id = auth.this_user()
  AND id > coalesce($2, '00000000-0000-0000-0000-000000000000'::uuid)
ORDER BY id
LIMIT $1
