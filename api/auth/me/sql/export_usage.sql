SELECT day, hour, app_id, model, uses, credits, refunds, refunded
FROM credits.usage_stats
WHERE account_id = auth.this_user()
  AND (day, hour, app_id, model) > (coalesce($2, '-infinity'::date), coalesce($3, -1::smallint), coalesce($4, ''), coalesce($5, ''))
ORDER BY day, hour, app_id, model
LIMIT $1
