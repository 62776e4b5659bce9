SELECT balance, free_credits_remaining, total_earned, total_spent, sequence, frozen, last_daily, opening_key, low_threshold,
    created_at
FROM credits.balances
WHERE account_id = auth.this_user()
