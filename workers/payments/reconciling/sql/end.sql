UPDATE credits.reconciliations
SET ended_at = now(), events = $2, missing = $3, payments = $4, differences = $5, fed = $6, unmended = $7, problem = $8
WHERE id = $1
RETURNING id
