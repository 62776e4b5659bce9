-- Of the $2 accounts that come after $1: which have had transactions for $3 that are not counted, and which is the last.
WITH part AS (
    SELECT account_id, sequence FROM credits.balances WHERE account_id > $1::uuid ORDER BY account_id LIMIT $2::integer
)
SELECT
    (SELECT account_id FROM part ORDER BY account_id DESC LIMIT 1) AS last,
    ARRAY(
        SELECT part.account_id
        FROM part
        LEFT JOIN usage_progress AS progress USING (account_id)
        WHERE part.sequence > coalesce(progress.sequence, 0)
          AND EXISTS (
            SELECT FROM credits.transactions AS next
            WHERE next.account_id = part.account_id AND next.sequence = coalesce(progress.sequence, 0) + 1
              AND next.created_at <= now() - $3::interval)
        ORDER BY part.account_id
    ) AS behind
