-- One account's rows of a partition, as read_journal reads all of it.
SELECT row_to_json(transaction)::text AS body
FROM credits.transactions AS transaction
WHERE partition = $1
  AND position > $2
  AND account_id = $4
ORDER BY position
LIMIT $3
