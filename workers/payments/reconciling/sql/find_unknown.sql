-- Those of these events that never arrived.
SELECT wanted.id FROM unnest($1::text[]) AS wanted (id)
WHERE NOT EXISTS (SELECT FROM credits.stripe_events AS event WHERE event.id = wanted.id)
