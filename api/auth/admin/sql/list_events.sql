-- $1 user, $2 type, $3 from, $4 and $5 time and id of the event before which to begin (all may be NULL), $6 limit.
SELECT id, user_id, actor_id, session_id, type, host(address) AS address, user_agent, details, created_at
FROM auth.admin_list_events($1, $2, $3, $4, $5, $6)
