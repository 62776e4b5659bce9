-- invariant: the statistics of use are the sums of the usages and refunds that they know of
-- counts: credits.usage_stats
WITH known AS (
    SELECT entry.account_id, entry.app_id, entry.type, entry.amount, entry.created_at AT TIME ZONE 'UTC' AS at,
        CASE WHEN progress.models_forgotten THEN '' ELSE credits.model_of(used.metadata) END AS model
    FROM credits.usage_progress AS progress
    JOIN credits.transactions AS entry ON entry.account_id = progress.account_id AND entry.sequence <= progress.sequence
    LEFT JOIN credits.transactions AS used ON used.account_id = entry.account_id
        AND used.id = CASE entry.type WHEN 'refund' THEN entry.refers_to ELSE entry.id END
    WHERE entry.type IN ('usage', 'refund')
),
counted AS (
    SELECT account_id, at::date AS day, date_part('hour', at)::smallint AS hour, app_id, model,
        count(*) FILTER (WHERE type = 'usage') AS uses,
        coalesce(-sum(amount) FILTER (WHERE type = 'usage'), 0) AS credits,
        count(*) FILTER (WHERE type = 'refund') AS refunds,
        coalesce(sum(amount) FILTER (WHERE type = 'refund'), 0) AS refunded
    FROM known
    GROUP BY 1, 2, 3, 4, 5
)
SELECT coalesce(stats.account_id, counted.account_id)::text AS subject,
    format('app %s, model "%s", %s %s h: %s, transactions say %s', app_id, model, day, hour,
        (stats.uses, stats.credits, stats.refunds, stats.refunded)::text,
        (counted.uses, counted.credits, counted.refunds, counted.refunded)::text) AS detail
FROM credits.usage_stats AS stats
FULL JOIN counted USING (account_id, day, hour, app_id, model)
WHERE (stats.uses, stats.credits, stats.refunds, stats.refunded)
    IS DISTINCT FROM (counted.uses, counted.credits, counted.refunds, counted.refunded)
UNION ALL
SELECT progress.account_id::text, format('counted up to %s, and it has %s transactions', progress.sequence,
    coalesce(account.sequence, 0))
FROM credits.usage_progress AS progress
LEFT JOIN credits.balances AS account USING (account_id)
WHERE progress.sequence > coalesce(account.sequence, 0)
