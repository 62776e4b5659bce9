SELECT id, account_id, type, status, amount, balance_before, balance_after, app_id, origin, description, metadata,
       idempotency_key, refers_to, sequence, created_at, completed_at
FROM credits.transactions
WHERE account_id = $1 AND id = $2
