SELECT enabled, below, package_id, most_per_month AS max_per_month, disabled_reason, created_at, updated_at
FROM credits.topups
WHERE account_id = $1
