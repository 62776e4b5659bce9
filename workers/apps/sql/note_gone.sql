UPDATE auth.app_secrets SET gone_at = now() WHERE id = $1 AND gone_at IS NULL
