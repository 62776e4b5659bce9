SELECT id, device_name, host(address) AS address, user_agent, created_at, last_active_at, expires_at
FROM auth.admin_list_sessions($1)
