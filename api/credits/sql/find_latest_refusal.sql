SELECT code, message, details
FROM credits.refusals
WHERE account_id = $1 AND idempotency_key = $2
ORDER BY created_at DESC
LIMIT 1
