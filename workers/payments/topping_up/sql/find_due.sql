-- Whose credits are below their limit now, in test or in live mode.
SELECT account_id::text AS account_id FROM credits.topups_due WHERE livemode = $1 LIMIT $2
