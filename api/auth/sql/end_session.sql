-- Takes the same lock as a refresh; an ended session is not ended again.
UPDATE auth.sessions
SET ended_at = clock_timestamp(), ended_reason = $2
WHERE id = $1 AND ended_at IS NULL
RETURNING id
