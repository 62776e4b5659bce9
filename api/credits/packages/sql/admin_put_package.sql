SELECT auth.admin_put_package($1, $2, $3, $4, $5, $6, $7, $8::json)
