-- invariant: each transaction begins with the balance that the one before it left
-- counts: credits.transactions
SELECT account_id::text AS subject,
    format('transaction %s (sequence %s) begins with %s after %s', id, sequence, balance_before, previous) AS detail
FROM (
    SELECT account_id, id, sequence, balance_before,
        coalesce(lag(balance_after) OVER (PARTITION BY account_id ORDER BY sequence), 0) AS previous
    FROM credits.transactions
) AS chained
WHERE balance_before <> previous
UNION ALL
SELECT account_id::text,
    format('transaction %s goes from %s by %s to %s (%s paid, %s free)', id, balance_before, amount, balance_after,
        balance, free_credits_remaining)
FROM credits.transactions
WHERE balance_after <> balance_before + amount
   OR balance_after <> balance + free_credits_remaining
