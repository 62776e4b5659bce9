-- invariant: an account's balance is the sum of its postings
-- counts: credits.balances
SELECT coalesce(account.account_id, moved.account_id)::text AS subject,
    format('holds %s, postings come to %s', account.balance + account.free_credits_remaining, coalesce(moved.sum, 0))
        AS detail
FROM credits.balances AS account
FULL JOIN (
    SELECT account_id,
        sum(CASE account_id::text WHEN destination THEN amount WHEN source THEN -amount ELSE 0 END) AS sum
    FROM credits.postings
    GROUP BY account_id
) AS moved USING (account_id)
WHERE account.balance + account.free_credits_remaining IS DISTINCT FROM coalesce(moved.sum, 0)
