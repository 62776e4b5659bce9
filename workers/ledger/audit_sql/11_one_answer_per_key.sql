-- invariant: an account's key has one transaction, or one answer without
-- counts: credits.transactions
SELECT account_id::text AS subject, format('key %s was used %s times', idempotency_key, count(*)) AS detail
FROM (
    SELECT account_id, idempotency_key FROM credits.transactions
    UNION ALL
    SELECT account_id, idempotency_key FROM credits.keys
) AS used
GROUP BY account_id, idempotency_key
HAVING count(*) > 1
