-- A new owner: whoever still believes in an older epoch is behind the fence from now on. A row that somebody has locked
-- is passed over, and answered without an epoch: it must not keep the others waiting.
WITH free AS (
    SELECT partition
    FROM credits.partitions
    WHERE partition = ANY($1::integer[])
    FOR NO KEY UPDATE SKIP LOCKED
), raised AS (
    UPDATE credits.partitions AS owned
    SET epoch = owned.epoch + 1
    FROM free
    WHERE owned.partition = free.partition
    RETURNING owned.partition, owned.epoch, owned.position, owned.confirmed
)
SELECT wanted.partition, raised.epoch, raised.position, raised.confirmed
FROM credits.partitions AS wanted
LEFT JOIN raised ON raised.partition = wanted.partition
WHERE wanted.partition = ANY($1::integer[])
ORDER BY wanted.partition
