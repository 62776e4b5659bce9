SELECT id
FROM auth.admin_end_sessions($1, $2, $3) AS ended (id)
