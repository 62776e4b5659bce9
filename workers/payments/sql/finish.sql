-- Of these events those are done whose keys the ledger holds, all of them.
UPDATE credits.stripe_events AS event
SET done_at = now(), outcome = 'done', reason = NULL, due_at = NULL
WHERE event.id = ANY ($1::text[]) AND event.done_at IS NULL AND event.keys IS NOT NULL AND NOT EXISTS (
    SELECT FROM unnest(event.keys) AS wanted (key)
    WHERE NOT EXISTS (
            SELECT FROM credits.transactions AS held
            WHERE held.account_id = event.account_id AND held.idempotency_key = wanted.key)
        AND NOT EXISTS (
            SELECT FROM credits.keys AS held
            WHERE held.account_id = event.account_id AND held.idempotency_key = wanted.key)
)
RETURNING event.id, event.type, event.outcome, extract(epoch FROM now() - event.received_at)::float8 AS seconds
