-- What another worker is writing just now is not old any more.
WITH old AS (
    SELECT account_id, idempotency_key, identity
    FROM credits.refusals
    WHERE created_at < now() - interval '1 day'
    ORDER BY created_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
DELETE FROM credits.refusals AS refusal
USING old
WHERE refusal.account_id = old.account_id
  AND refusal.idempotency_key = old.idempotency_key
  AND refusal.identity = old.identity
RETURNING 1
