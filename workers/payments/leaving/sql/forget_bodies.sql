-- Some bodies of what Stripe told of users who are gone, once it is worked off.
UPDATE credits.stripe_events SET body = NULL
WHERE id IN (
    SELECT event.id
    FROM credits.suspensions AS gone
    JOIN credits.stripe_events AS event ON event.account_id = gone.account_id
    WHERE gone.reason = 'deleted' AND event.body IS NOT NULL AND event.done_at IS NOT NULL
    LIMIT $1
    FOR UPDATE OF event SKIP LOCKED
)
RETURNING id
