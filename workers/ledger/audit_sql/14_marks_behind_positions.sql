-- invariant: no event is confirmed that is not in the ledger
-- counts: credits.partitions
SELECT 'partition ' || partition AS subject, format('confirmed up to %s, stands at %s', confirmed, position) AS detail
FROM credits.partitions
WHERE confirmed > position OR confirmed < 0
