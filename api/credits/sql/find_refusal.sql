-- Of the message with identity $3; of whichever came last where it is NULL.
SELECT code, message, details
FROM credits.refusals
WHERE account_id = $1 AND idempotency_key = $2 AND ($3::text IS NULL OR identity = $3)
ORDER BY created_at DESC
LIMIT 1
