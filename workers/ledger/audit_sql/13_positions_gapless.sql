-- invariant: a partition's positions count its transactions from 1 without a gap
-- counts: credits.partitions
SELECT 'partition ' || partition AS subject,
    format('stands at %s, has %s transactions at %s to %s', own.position, coalesce(placed.there, 0), placed.first,
        placed.last) AS detail
FROM credits.partitions AS own
FULL JOIN (
    SELECT partition, count(*) AS there, count(DISTINCT position) AS different, min(position) AS first,
        max(position) AS last
    FROM credits.transactions
    GROUP BY partition
) AS placed USING (partition)
WHERE own.position IS DISTINCT FROM coalesce(placed.last, 0)
   OR placed.first <> 1
   OR placed.last <> placed.there
   OR placed.different <> placed.there
