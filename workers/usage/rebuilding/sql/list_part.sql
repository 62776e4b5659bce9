-- The next $2 accounts after $1 that statistics are of, there or here.
SELECT account_id FROM (
    (SELECT account_id FROM credits.usage_progress WHERE account_id > $1::uuid ORDER BY account_id LIMIT $2::integer)
    UNION
    (SELECT account_id FROM usage_progress WHERE account_id > $1::uuid ORDER BY account_id LIMIT $2::integer)
    UNION
    (SELECT DISTINCT account_id FROM credits.usage_stats WHERE account_id > $1::uuid ORDER BY account_id LIMIT $2::integer)
) AS every
ORDER BY account_id
LIMIT $2::integer
