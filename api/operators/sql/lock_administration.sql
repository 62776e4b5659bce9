-- "manaadmn": acts on administrators go one after the other.
SELECT pg_advisory_xact_lock(7881702187399933294)
