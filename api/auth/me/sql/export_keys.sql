SELECT idempotency_key, operation, balance, free_credits_remaining, total_earned, total_spent, reason, created_at
FROM credits.keys
WHERE account_id = auth.this_user()
  AND idempotency_key > coalesce($2, '')
ORDER BY idempotency_key
LIMIT $1
