-- One process counts: the number is "manause" in bytes. Held by the session, which ends when its process falls silent.
SELECT pg_try_advisory_lock(30787899170845541)
