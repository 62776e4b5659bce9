-- invariant: the statistics of use are the sums of the usages
-- counts: credits.usage_stats
SELECT coalesce(stats.account_id, used.account_id)::text AS subject,
    format('app %s on %s: %s uses of %s credits, transactions say %s of %s', app_id, day, stats.uses, stats.credits,
        used.uses, used.credits) AS detail
FROM credits.usage_stats AS stats
FULL JOIN (
    SELECT account_id, app_id, (created_at AT TIME ZONE 'UTC')::date AS day, count(*) AS uses, -sum(amount) AS credits
    FROM credits.transactions
    WHERE type = 'usage'
    GROUP BY 1, 2, 3
) AS used USING (account_id, app_id, day)
WHERE (stats.uses, stats.credits) IS DISTINCT FROM (used.uses, used.credits)
