SELECT auth.admin_add_app($1, $2, $3, $4, $5)
