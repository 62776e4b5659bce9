-- invariant: a transaction's id is its own
-- counts: credits.transactions
SELECT string_agg(account_id::text, ', ') AS subject, format('id %s stands on %s transactions', id, count(*)) AS detail
FROM credits.transactions
GROUP BY id
HAVING count(*) > 1
