UPDATE auth.app_secrets SET made_version = $2 WHERE id = $1
