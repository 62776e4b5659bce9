-- Locked in the order of ids. All that hangs on an account is read in the next statement: in this one it would come
-- from the snapshot of before the wait. The columns stand in the order of the model's fields.
SELECT account_id::text AS account_id, balance, free_credits_remaining, total_earned, total_spent, sequence, frozen,
    last_daily, opening_key, low_threshold
FROM credits.balances
WHERE account_id = ANY($1::uuid[])
ORDER BY credits.balances.account_id
FOR NO KEY UPDATE
