SELECT account_id::text AS account_id, id::text AS lot_id, expires_at::text AS expires_at
FROM credits.lots
WHERE open
  AND expires_at <= now()
  AND expires_at >= $2::text::timestamptz
  AND (expires_at, id) > ($2::text::timestamptz, $3::text::uuid)
ORDER BY expires_at, id
LIMIT $1
