SELECT auth.sweep_sessions($1, $2)
