-- invariant: what a user owes is what the postings to the account of the debt lack
-- counts: credits.purchases
SELECT coalesce(owing.account_id, moved.account_id)::text AS subject,
    format('owes %s by its purchases, %s by postings', coalesce(owing.debt, 0), coalesce(moved.debt, 0)) AS detail
FROM (SELECT account_id, sum(debt) AS debt FROM credits.purchases GROUP BY account_id) AS owing
FULL JOIN (
    SELECT account_id, sum(CASE WHEN source LIKE 'debt:%' THEN amount ELSE -amount END) AS debt
    FROM credits.postings
    WHERE source LIKE 'debt:%' OR destination LIKE 'debt:%'
    GROUP BY account_id
) AS moved USING (account_id)
WHERE coalesce(owing.debt, 0) <> coalesce(moved.debt, 0)
