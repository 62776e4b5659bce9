-- Our sign of life. The row may have been pruned while we were held up.
INSERT INTO credits.workers (id, name, started_at, heartbeat)
VALUES ($1, $2, now(), now())
ON CONFLICT (id) DO UPDATE SET heartbeat = excluded.heartbeat
