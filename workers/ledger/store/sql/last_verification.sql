-- The last one that ended, and how long ago it began, by the database's clock.
SELECT extract(epoch FROM begun_at)::float8 AS begun_at,
       extract(epoch FROM ended_at - begun_at)::float8 AS seconds,
       extract(epoch FROM clock_timestamp() - begun_at)::float8 AS age_seconds,
       cardinality(broken) AS broken
FROM mana.verifications
ORDER BY id DESC
LIMIT 1
