-- What has become of these events by now, of those that have arrived.
SELECT id, outcome, reason, done_at IS NOT NULL AS done FROM credits.stripe_events WHERE id = ANY ($1::text[])
