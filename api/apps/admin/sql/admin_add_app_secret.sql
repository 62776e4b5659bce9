SELECT auth.admin_add_app_secret($1, $2, $3)
