SELECT * FROM auth.admin_list_apps($1)
