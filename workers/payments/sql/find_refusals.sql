-- The newest refusal of a command of each of these events, as long as the ledger does not hold its key after all; and
-- whether the event is the first of those that wait for that key.
SELECT DISTINCT ON (event.id)
    event.id, refusal.idempotency_key AS key, refusal.code, refusal.message,
    NOT EXISTS (
        SELECT FROM credits.stripe_events AS other
        WHERE other.done_at IS NULL AND other.account_id = event.account_id AND wanted.key = ANY (other.keys)
            AND (other.received_at, other.id) < (event.received_at, event.id)) AS first
FROM credits.stripe_events AS event
CROSS JOIN unnest(event.keys) AS wanted (key)
JOIN credits.refusals AS refusal
    ON refusal.account_id = event.account_id AND refusal.idempotency_key = wanted.key
WHERE event.id = ANY ($1::text[]) AND event.done_at IS NULL
    AND NOT EXISTS (
        SELECT FROM credits.transactions AS held
        WHERE held.account_id = event.account_id AND held.idempotency_key = wanted.key)
    AND NOT EXISTS (
        SELECT FROM credits.keys AS held
        WHERE held.account_id = event.account_id AND held.idempotency_key = wanted.key)
ORDER BY event.id, refusal.created_at DESC
