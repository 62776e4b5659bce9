-- Newest first. $2 sequence below which to begin, $3 type, $4 app, $5 from, $6 to (all may be NULL), $7 offset, $8 limit.
SELECT id, account_id, type, status, amount, balance_before, balance_after, app_id, origin, description, metadata,
       idempotency_key, refers_to, sequence, created_at, completed_at
FROM credits.transactions
WHERE account_id = $1
  AND sequence < coalesce($2, 9223372036854775807)
  AND ($3::text IS NULL OR type = $3)
  AND ($4::text IS NULL OR app_id = $4)
  AND ($5::timestamptz IS NULL OR created_at >= $5)
  AND ($6::timestamptz IS NULL OR created_at < $6)
ORDER BY sequence DESC
OFFSET $7
LIMIT $8
