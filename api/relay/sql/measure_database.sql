-- Sessions at the server, in all its databases, as many as it takes, and the size of our database in bytes.
-- Not from pg_stat_activity: of other roles' sessions it says nothing to ours.
SELECT (SELECT sum(numbackends) FROM pg_stat_database)::bigint AS connections,
       current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int AS connections_max,
       pg_database_size(current_database()) AS bytes
