-- What is left and has not expired, in the order in which it will be used.
SELECT id::text AS id, kind, granted, remaining, free, expires_at, created_at
FROM credits.lots
WHERE account_id = $1 AND open AND (expires_at IS NULL OR expires_at > now())
ORDER BY free DESC, expires_at NULLS LAST, created_at, lots.id
