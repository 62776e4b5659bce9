-- The rows of the dead, so that the table stays as small as the number of workers: silent for a minute, and not holding
-- their own lock.
DELETE FROM credits.workers AS worker
WHERE worker.heartbeat < now() - interval '1 minute'
  AND NOT EXISTS (
      SELECT
      FROM pg_locks AS held
      WHERE held.locktype = 'advisory'
        AND held.granted
        AND held.objsubid = 1
        AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (held.classid::bigint << 32 | held.objid::bigint) = hashtextextended(worker.id, 0)
  )
