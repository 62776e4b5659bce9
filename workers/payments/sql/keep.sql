-- Each event once, by its id; those that nothing can come of are done at once.
INSERT INTO credits.stripe_events (id, type, body, created_at, livemode, received_at, due_at, done_at, outcome, reason)
SELECT
    id, type, body, created_at, livemode, now(),
    CASE WHEN refused IS NULL THEN now() END,
    CASE WHEN refused IS NOT NULL THEN now() END,
    CASE WHEN refused IS NOT NULL THEN 'refused' END,
    refused
FROM unnest($1::text[], $2::text[], $3::bytea[], $4::timestamptz[], $5::boolean[], $6::text[])
    AS came (id, type, body, created_at, livemode, refused)
ON CONFLICT (id) DO NOTHING
RETURNING id
