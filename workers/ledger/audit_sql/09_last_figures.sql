-- invariant: an account's figures are those on its last transaction
-- counts: credits.balances
SELECT account.account_id::text AS subject,
    format(
        'figures %s %s %s %s, last transaction says %s %s %s %s',
        account.balance, account.free_credits_remaining, account.total_earned, account.total_spent,
        latest.balance, latest.free_credits_remaining, latest.total_earned, latest.total_spent
    ) AS detail
FROM credits.balances AS account
LEFT JOIN (
    SELECT DISTINCT ON (account_id) account_id, balance, free_credits_remaining, total_earned, total_spent
    FROM credits.transactions
    ORDER BY account_id, sequence DESC
) AS latest USING (account_id)
WHERE (account.balance, account.free_credits_remaining, account.total_earned, account.total_spent)
    <> (coalesce(latest.balance, 0), coalesce(latest.free_credits_remaining, 0), coalesce(latest.total_earned, 0),
        coalesce(latest.total_spent, 0))
