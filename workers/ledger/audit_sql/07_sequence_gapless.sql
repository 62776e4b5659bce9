-- invariant: an account's sequence counts its transactions from 1 without a gap
-- counts: credits.balances
SELECT coalesce(account.account_id, numbered.account_id)::text AS subject,
    format(
        'stands at %s, has %s transactions numbered %s to %s',
        account.sequence, coalesce(numbered.there, 0), numbered.first, numbered.last
    ) AS detail
FROM credits.balances AS account
FULL JOIN (
    SELECT account_id, count(*) AS there, count(DISTINCT sequence) AS different, min(sequence) AS first,
        max(sequence) AS last
    FROM credits.transactions
    GROUP BY account_id
) AS numbered USING (account_id)
WHERE account.sequence IS DISTINCT FROM coalesce(numbered.last, 0)
   OR numbered.first <> 1
   OR numbered.last <> numbered.there
   OR numbered.different <> numbered.there
