-- invariant: nothing is below zero
-- counts: credits.lots
SELECT account_id::text AS subject, format('lot %s has %s of %s left', id, remaining, granted) AS detail
FROM credits.lots
WHERE remaining < 0 OR granted <= 0
UNION ALL
SELECT account_id::text, format('holds %s and %s, totals %s and %s', balance, free_credits_remaining, total_earned,
    total_spent)
FROM credits.balances
WHERE least(balance, free_credits_remaining, total_earned, total_spent, sequence) < 0
UNION ALL
SELECT account_id::text, format('transaction %s left %s and %s, totals %s and %s', id, balance, free_credits_remaining,
    total_earned, total_spent)
FROM credits.transactions
WHERE least(balance_before, balance_after, balance, free_credits_remaining, total_earned, total_spent) < 0
