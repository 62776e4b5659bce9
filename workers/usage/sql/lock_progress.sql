SELECT account_id, sequence, models_forgotten
FROM usage_progress
WHERE account_id = ANY($1::uuid[])
ORDER BY account_id
FOR UPDATE
