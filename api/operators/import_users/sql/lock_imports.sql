-- "manaimpt": until the session's end.
SELECT pg_try_advisory_lock(7881702187534741620)
