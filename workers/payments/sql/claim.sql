-- The events that are due, for one worker: nobody else gets them until $2 has passed.
WITH due AS MATERIALIZED (
    SELECT id FROM credits.stripe_events
    WHERE done_at IS NULL AND due_at <= now()
    ORDER BY due_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
UPDATE credits.stripe_events AS event SET due_at = now() + $2::interval
FROM due
WHERE event.id = due.id
RETURNING event.id, event.type, event.body, event.tries, event.keys IS NOT NULL AS sent,
    event.reason IS NOT NULL AS alarmed
