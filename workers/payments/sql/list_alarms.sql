-- Events that are not done and that somebody was told of.
SELECT id FROM credits.stripe_events WHERE done_at IS NULL AND reason IS NOT NULL ORDER BY due_at LIMIT $1
