SELECT auth.confirm_address($1)
