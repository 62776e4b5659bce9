SELECT auth.admin_add_event($1, $2, $3, $4, $5::text::inet, $6, $7::json)
