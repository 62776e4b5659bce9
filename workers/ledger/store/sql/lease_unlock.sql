SELECT pg_advisory_unlock($1::integer, $2::integer)
