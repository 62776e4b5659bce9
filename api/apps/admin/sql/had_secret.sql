SELECT EXISTS (SELECT FROM auth.app_secrets WHERE app_id = $1 AND id = $2)
