-- The one that has just begun stays, and the newest of the others, $3 in all; locked in the order of their ids.
WITH surplus AS (
    SELECT id
    FROM auth.sessions
    WHERE ended_at IS NULL AND id IN (
        SELECT id
        FROM auth.sessions
        WHERE user_id = $1 AND id <> $2 AND ended_at IS NULL AND expires_at > clock_timestamp()
        ORDER BY created_at DESC, id DESC
        OFFSET $3::integer - 1
    )
    ORDER BY id
    FOR UPDATE
)
UPDATE auth.sessions
SET ended_at = clock_timestamp(), ended_reason = 'revoked'
FROM surplus
WHERE sessions.id = surplus.id
RETURNING sessions.id
