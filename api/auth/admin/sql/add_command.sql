SELECT auth.admin_add_command($1, $2, $3, $4::json)
