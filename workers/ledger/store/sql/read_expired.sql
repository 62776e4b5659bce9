SELECT DISTINCT account_id::text AS account_id
FROM (
    SELECT account_id
    FROM credits.lots
    WHERE open
      AND expires_at <= now()
    ORDER BY expires_at
    LIMIT $1
) AS expired
