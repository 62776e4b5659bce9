-- One run by a timer at a time ("manareco"), over all workers; freed with the connection.
SELECT pg_try_advisory_lock(7881702187685208943)
