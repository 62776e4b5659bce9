UPDATE auth.sessions
SET generation = generation + 1, rotated_at = clock_timestamp(), last_active_at = clock_timestamp()
WHERE id = $1
