-- The lock that refresh, logout and every other end of a session take; an ended one is not found.
SELECT sessions.id
FROM auth.sessions
WHERE sessions.id = (SELECT session_id FROM auth.refresh_tokens WHERE token_hash = $1) AND sessions.ended_at IS NULL
FOR UPDATE
