UPDATE auth.sessions
SET authenticated_at = clock_timestamp()
WHERE id = $1
