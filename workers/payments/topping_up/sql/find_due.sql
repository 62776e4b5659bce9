-- Whose credits are below their limit now, in test or in live mode, after the account that was the last one.
SELECT account_id::text AS account_id FROM credits.topups_due
WHERE livemode = $1 AND account_id > $2
ORDER BY account_id
LIMIT $3
