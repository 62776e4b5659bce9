SELECT auth.sweep_events($1, $2)
