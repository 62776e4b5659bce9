-- "mana", and the user: sessions of one user start one after the other, so that each start sees what the last one left.
-- Locked behind the user's row and before any session's.
SELECT pg_advisory_xact_lock(1835101793, hashtext($1::uuid::text))
