SELECT auth.admin_change_app($1, $2, $3, $4, $5)
