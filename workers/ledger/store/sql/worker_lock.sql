-- The worker's own lock, by which others see that it lives; a 64-bit key, so apart from the partitions' two 32-bit ones.
SELECT pg_try_advisory_lock(hashtextextended($1, 0))
