-- invariant: an account's balances are what its lots hold
-- counts: credits.balances
SELECT coalesce(account.account_id, lots.account_id)::text AS subject,
    format(
        'paid %s and free %s, lots hold %s and %s',
        account.balance, account.free_credits_remaining, coalesce(lots.paid, 0), coalesce(lots.free, 0)
    ) AS detail
FROM credits.balances AS account
FULL JOIN (
    SELECT account_id,
        coalesce(sum(remaining) FILTER (WHERE NOT free), 0) AS paid,
        coalesce(sum(remaining) FILTER (WHERE free), 0) AS free
    FROM credits.lots
    GROUP BY account_id
) AS lots USING (account_id)
WHERE (account.balance, account.free_credits_remaining)
    IS DISTINCT FROM (coalesce(lots.paid, 0), coalesce(lots.free, 0))
