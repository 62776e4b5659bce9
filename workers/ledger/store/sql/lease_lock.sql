-- Of these partitions, those whose lock nobody else holds: from now on we do.
SELECT wanted.partition
FROM unnest($2::integer[]) AS wanted (partition)
WHERE pg_try_advisory_lock($1::integer, wanted.partition)
