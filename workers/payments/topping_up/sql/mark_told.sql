UPDATE credits.topup_payments SET told_at = now() WHERE purchase_id = ANY ($1::uuid[]) AND told_at IS NULL
