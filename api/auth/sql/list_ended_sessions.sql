SELECT auth.list_ended_sessions(now() - $1::interval)
