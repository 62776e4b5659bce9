-- By the database's clock, which also wrote the times.
SELECT coalesce(authenticated_at, created_at) > clock_timestamp() - $2::interval
FROM auth.sessions
WHERE id = $1 AND ended_at IS NULL AND expires_at > clock_timestamp()
