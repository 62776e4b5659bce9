SELECT key_id FROM auth.admin_end_api_keys($1) AS ended (key_id)
