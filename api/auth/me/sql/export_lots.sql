SELECT id, kind, free, granted, remaining, expires_at, created_at
FROM credits.lots
WHERE account_id = auth.this_user()
  AND id > coalesce($2, '00000000-0000-0000-0000-000000000000'::uuid)
ORDER BY id
LIMIT $1
