-- With the account's figures after it, so that the answer is the one that was given then.
SELECT id, account_id, type, status, amount, balance_before, balance_after, app_id, origin, description, metadata,
       idempotency_key, refers_to, sequence, created_at, completed_at,
       balance, free_credits_remaining, total_earned, total_spent
FROM credits.transactions
WHERE account_id = $1 AND idempotency_key = $2
