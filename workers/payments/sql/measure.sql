-- How many events wait, how many of them with an alarm, and since when the oldest, in seconds.
SELECT
    count(*) AS waiting,
    count(*) FILTER (WHERE reason IS NOT NULL) AS alarms,
    coalesce(extract(epoch FROM now() - min(received_at)), 0)::float8 AS oldest
FROM credits.stripe_events
WHERE done_at IS NULL
