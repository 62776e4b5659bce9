SELECT auth.admin_retire_package($1)
