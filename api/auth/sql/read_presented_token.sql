-- After the lock, in a statement of its own, so that it sees what the lock's last holder wrote.
SELECT sessions.id AS session_id, refresh_tokens.generation AS token_generation,
       sessions.generation AS session_generation, clock_timestamp() - sessions.rotated_at AS since_rotation,
       refresh_tokens.expires_at <= clock_timestamp() AS expired,
       sessions.expires_at <= clock_timestamp() AS session_expired,
       sessions.expires_at AS session_expires_at, refresh_tokens.sealed_successor
FROM auth.refresh_tokens JOIN auth.sessions ON sessions.id = refresh_tokens.session_id
WHERE refresh_tokens.token_hash = $1
