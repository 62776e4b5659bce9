-- The session's newest token; it dies with its session at the latest.
INSERT INTO auth.refresh_tokens (token_hash, session_id, user_id, generation, expires_at)
SELECT $1, sessions.id, sessions.user_id, sessions.generation,
       least(clock_timestamp() + $3::interval, sessions.expires_at)
FROM auth.sessions
WHERE sessions.id = $2
