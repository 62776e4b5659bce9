SELECT balance, free_credits_remaining, total_earned, total_spent
FROM credits.keys
WHERE account_id = $1 AND idempotency_key = $2
