-- Top-ups that were switched off, and that the broker does not know of yet, for one worker.
WITH due AS MATERIALIZED (
    SELECT id FROM credits.topup_stops WHERE due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE credits.topup_stops AS stop
SET tries = stop.tries + 1, due_at = now() + least(interval '2 s' * 2 ^ least(stop.tries, 10), interval '60 s')
FROM due
WHERE stop.id = due.id
RETURNING stop.id::text AS id, stop.account_id::text AS account_id, stop.purchase_id::text AS purchase_id,
          stop.package_id, stop.reason, stop.stopped_at, stop.tries
