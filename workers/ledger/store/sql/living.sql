-- Who lives: gave a sign less than 10 s ago, and holds its own lock. The lock goes with a dead worker's session at once.
SELECT worker.id
FROM credits.workers AS worker
WHERE worker.heartbeat > now() - interval '10 seconds'
  AND hashtextextended(worker.id, 0) IN (
      SELECT held.classid::bigint << 32 | held.objid::bigint
      FROM pg_locks AS held
      WHERE held.locktype = 'advisory'
        AND held.granted
        AND held.objsubid = 1
        AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  )
ORDER BY 1
