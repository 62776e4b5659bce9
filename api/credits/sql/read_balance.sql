-- As the first command of this moment would leave it: what has expired is out, today's free credits are in where they
-- are due ($2, 0 for none) and the account can hold them ($3 in all). Nothing is written.
SELECT figures.balance, figures.free_credits_remaining + due.amount AS free_credits_remaining,
       figures.total_earned + due.amount AS total_earned, figures.total_spent, owed.debt
FROM (
    SELECT balances.balance - coalesce(expired.paid, 0)::bigint AS balance,
           balances.free_credits_remaining - coalesce(expired.free, 0)::bigint AS free_credits_remaining,
           balances.total_earned, balances.total_spent, balances.last_daily
    FROM credits.balances LEFT JOIN LATERAL (
        SELECT sum(lots.remaining) FILTER (WHERE NOT lots.free) AS paid,
               sum(lots.remaining) FILTER (WHERE lots.free) AS free
        FROM credits.lots
        WHERE lots.account_id = balances.account_id AND lots.open AND lots.expires_at <= now()
    ) AS expired ON true
    WHERE balances.account_id = $1
) AS figures CROSS JOIN LATERAL (
    SELECT CASE
        WHEN figures.last_daily < (now() AT TIME ZONE 'UTC')::date
            AND figures.balance + figures.free_credits_remaining + $2::bigint <= $3::bigint
        THEN $2::bigint ELSE 0
    END AS amount
) AS due CROSS JOIN (
    SELECT coalesce(sum(purchases.debt), 0)::bigint AS debt
    FROM credits.purchases
    WHERE purchases.account_id = $1 AND purchases.debt > 0
) AS owed
