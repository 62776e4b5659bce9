INSERT INTO credits.workers (id, name, started_at, heartbeat)
VALUES ($1, $2, now(), now())
ON CONFLICT (id) DO UPDATE SET name = excluded.name, started_at = excluded.started_at, heartbeat = excluded.heartbeat
