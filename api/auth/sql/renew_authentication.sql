-- An ended session is not found; an expired one would gain nothing by it.
UPDATE auth.sessions
SET authenticated_at = clock_timestamp()
WHERE id = $1 AND expires_at > clock_timestamp()
RETURNING id
