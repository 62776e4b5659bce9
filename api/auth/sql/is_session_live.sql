SELECT auth.is_session_live($1, $2)
