-- All of a user's sessions but one, or none, locked in the order of their ids; each takes the same lock as a refresh.
WITH live AS (
    SELECT id
    FROM auth.sessions
    WHERE user_id = $1 AND ended_at IS NULL AND id IS DISTINCT FROM $3::uuid
    ORDER BY id
    FOR UPDATE
)
UPDATE auth.sessions
SET ended_at = clock_timestamp(), ended_reason = $2
FROM live
WHERE sessions.id = live.id
RETURNING sessions.id
