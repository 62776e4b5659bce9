SELECT row_to_json(transaction)::text AS body
FROM credits.transactions AS transaction
WHERE partition = $1
  AND position > $2
ORDER BY position
LIMIT $3
