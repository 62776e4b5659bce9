INSERT INTO credits.usage_stats (account_id, day, hour, app_id, model, uses, credits, refunds, refunded)
SELECT stats.account_id, day, hour, app_id, CASE WHEN progress.models_forgotten THEN '' ELSE model END,
    sum(uses), sum(credits), sum(refunds), sum(refunded)
FROM usage_stats AS stats
LEFT JOIN credits.usage_progress AS progress USING (account_id)
WHERE stats.account_id = ANY($1::uuid[])
GROUP BY 1, 2, 3, 4, 5
