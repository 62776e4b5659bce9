SELECT id, kind, free, granted, remaining, expires_at, created_at
FROM credits.lots
WHERE account_id = auth.this_user()
ORDER BY id
