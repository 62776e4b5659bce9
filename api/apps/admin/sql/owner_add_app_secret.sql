SELECT auth.add_app_secret($1, $2, $3)
