-- Until the transaction's end, so that one relay tells at a time. 7881702187718765676 is "manatell".
SELECT pg_try_advisory_xact_lock(7881702187718765676)
