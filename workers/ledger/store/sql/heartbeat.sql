-- Our sign of life, and who else lives: gave a sign less than 10 s ago, and holds its own lock. The row may have been
-- pruned while we were held up.
WITH beat AS (
    INSERT INTO credits.workers (id, name, started_at, heartbeat)
    VALUES ($1, $2, now(), now())
    ON CONFLICT (id) DO UPDATE SET heartbeat = excluded.heartbeat
    RETURNING id
),
locked AS (
    SELECT held.classid::bigint << 32 | held.objid::bigint AS key
    FROM pg_locks AS held
    WHERE held.locktype = 'advisory'
      AND held.granted
      AND held.objsubid = 1
      AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT worker.id
FROM credits.workers AS worker
WHERE worker.heartbeat > now() - interval '10 seconds'
  AND worker.id <> $1
  AND hashtextextended(worker.id, 0) IN (SELECT key FROM locked)
UNION
SELECT id FROM beat
ORDER BY 1
