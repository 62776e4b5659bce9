-- The fence, first of all in every transaction. Locked in order, so that no two workers wait for each other.
SELECT partition, epoch, position, now() AS now
FROM credits.partitions
WHERE partition = ANY($1::integer[])
ORDER BY partition
FOR NO KEY UPDATE
