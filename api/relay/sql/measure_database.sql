-- Sessions at the server, in all its databases, as many as it takes, and the size of our database in bytes; when its first
-- migration and its last backup were, and whether archiving its WAL fails since it last succeeded.
-- Not from pg_stat_activity: of other roles' sessions it says nothing to ours.
SELECT (SELECT sum(numbackends) FROM pg_stat_database)::bigint AS connections,
       current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int AS connections_max,
       pg_database_size(current_database()) AS bytes,
       (SELECT extract(epoch FROM min(applied_at))::float8 FROM mana.migrations) AS made_at,
       (SELECT coalesce(extract(epoch FROM max(ended_at)), 0)::float8 FROM mana.backups) AS backup_at,
       coalesce(extract(epoch FROM last_archived_time), 0)::float8 AS archived_at,
       current_setting('archive_mode') <> 'off'
           AND coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) AS archiving_fails
FROM pg_stat_archiver
