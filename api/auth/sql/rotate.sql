-- One step of a session: its next token takes the place of the spent one, which keeps it sealed for a client that lost
-- the answer; what the spent one was the successor of forgets its seal.
WITH session AS (
    UPDATE auth.sessions
    SET generation = generation + 1, rotated_at = clock_timestamp(), last_active_at = clock_timestamp()
    WHERE id = $1
    RETURNING id, user_id, generation, expires_at
), successor AS (
    INSERT INTO auth.refresh_tokens (token_hash, session_id, user_id, generation, expires_at)
    SELECT $3::bytea, id, user_id, generation, least(clock_timestamp() + $5::interval, expires_at)
    FROM session
)
UPDATE auth.refresh_tokens
SET sealed_successor = CASE WHEN refresh_tokens.token_hash = $2 THEN $4::bytea END
FROM session
WHERE refresh_tokens.session_id = session.id
  AND refresh_tokens.generation BETWEEN session.generation - 2 AND session.generation - 1
  AND (refresh_tokens.token_hash = $2 OR refresh_tokens.sealed_successor IS NOT NULL)
