-- invariant: totals are the sums of what came in (but what was given back) and of usage less refunds
-- counts: credits.transactions
SELECT account_id::text AS subject,
    format('after sequence %s earned %s and spent %s, transactions come to %s and %s', sequence, total_earned,
        total_spent, earned, spent) AS detail
FROM (
    SELECT account_id, sequence, total_earned, total_spent,
        sum(CASE WHEN type NOT IN ('refund', 'clawback') AND amount > 0 THEN amount ELSE 0 END) OVER running AS earned,
        sum(CASE WHEN type IN ('usage', 'refund') THEN -amount ELSE 0 END) OVER running AS spent
    FROM credits.transactions
    WINDOW running AS (PARTITION BY account_id ORDER BY sequence ROWS UNBOUNDED PRECEDING)
) AS summed
WHERE total_earned <> earned OR total_spent <> spent
