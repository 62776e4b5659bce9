SELECT day, app_id, uses, credits
FROM credits.usage_stats
WHERE account_id = auth.this_user()
  AND (day, app_id) > (coalesce($2, '-infinity'::date), coalesce($3, ''))
ORDER BY day, app_id
LIMIT $1
