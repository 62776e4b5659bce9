-- Sessions of clients at the server, of all its databases, as many as it takes, and the size of ours in bytes.
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
       current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int AS connections_max,
       pg_database_size(current_database()) AS bytes
