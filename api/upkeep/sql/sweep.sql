SELECT auth.sweep($1, $2)
