-- In the order of their writing, from where the last page ended. What is committed late under a lower number is seen by
-- the next look: acts on the same user or session exclude each other, so none that came before it can be missing here.
SELECT number, id, user_id, type, data::text AS data, created_at
FROM auth.outbox_events
WHERE number > $1
ORDER BY number
LIMIT $2
