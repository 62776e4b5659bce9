SELECT id
FROM auth.admin_set_role($1, $2) AS ended (id)
