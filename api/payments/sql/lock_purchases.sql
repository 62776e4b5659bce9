-- "manp", and the user: purchases of one user begin one after the other, so that each sees what the last one left.
-- Locked behind the user's row.
SELECT pg_advisory_xact_lock(1835101808, hashtext($1::uuid::text))
