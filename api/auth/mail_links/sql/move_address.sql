SELECT auth.move_address($1)
