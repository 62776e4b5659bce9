-- How many rows of these accounts' statistics will be others, or not there, afterwards.
SELECT count(*)
FROM (SELECT * FROM credits.usage_stats WHERE account_id = ANY($1::uuid[])) AS there
FULL JOIN (
    SELECT stats.account_id, day, hour, app_id, CASE WHEN progress.models_forgotten THEN '' ELSE model END AS model,
        sum(uses) AS uses, sum(credits) AS credits, sum(refunds) AS refunds, sum(refunded) AS refunded
    FROM usage_stats AS stats
    LEFT JOIN credits.usage_progress AS progress USING (account_id)
    WHERE stats.account_id = ANY($1::uuid[])
    GROUP BY 1, 2, 3, 4, 5
) AS here USING (account_id, day, hour, app_id, model)
WHERE (there.uses, there.credits, there.refunds, there.refunded)
    IS DISTINCT FROM (here.uses, here.credits, here.refunds, here.refunded)
