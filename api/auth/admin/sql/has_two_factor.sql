SELECT auth.admin_has_two_factor($1)
