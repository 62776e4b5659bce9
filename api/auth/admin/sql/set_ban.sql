SELECT id
FROM auth.admin_set_ban($1, $2) AS ended (id)
