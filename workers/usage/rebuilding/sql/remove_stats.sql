DELETE FROM credits.usage_stats WHERE account_id = ANY($1::uuid[])
