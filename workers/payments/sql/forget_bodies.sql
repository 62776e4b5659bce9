-- Some of the bodies of events that were done longer than $1 ago.
UPDATE credits.stripe_events SET body = NULL
WHERE id IN (
    SELECT id FROM credits.stripe_events WHERE body IS NOT NULL AND done_at < now() - $1::interval
    ORDER BY done_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
RETURNING id
