SELECT id, session_id, type, host(address) AS address, user_agent, details, created_at
FROM auth.security_events
WHERE user_id = auth.this_user()
ORDER BY created_at, id
