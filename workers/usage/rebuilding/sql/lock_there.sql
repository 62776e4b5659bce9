-- Nothing of these accounts is counted until the transaction ends, and none of them is deleted. Whoever counts locks in
-- the same order, and whoever only reads goes on.
SELECT account_id FROM credits.usage_progress WHERE account_id = ANY($1::uuid[]) ORDER BY account_id FOR UPDATE
