-- What another worker is writing just now is not old any more. Each kind is found by an index of its own, the oldest first.
WITH aged AS (
    SELECT account_id, idempotency_key, identity
    FROM credits.refusals
    WHERE created_at < now() - $2::interval
    ORDER BY created_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
),
overloaded AS (
    SELECT account_id, idempotency_key, identity
    FROM credits.refusals
    WHERE code = 'overloaded' AND created_at < now() - interval '10 minutes'
    ORDER BY created_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
),
old AS (
    SELECT * FROM aged UNION ALL SELECT * FROM overloaded
    LIMIT $1
)
DELETE FROM credits.refusals AS refusal
USING old
WHERE refusal.account_id = old.account_id
  AND refusal.idempotency_key = old.idempotency_key
  AND refusal.identity = old.identity
RETURNING 1
