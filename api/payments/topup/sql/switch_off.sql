UPDATE credits.topups SET enabled = false, disabled_reason = NULL, updated_at = now()
WHERE account_id = $1 AND enabled
RETURNING account_id
