SELECT day, app_id, uses, credits
FROM credits.usage_stats
WHERE account_id = auth.this_user()
ORDER BY day, app_id
