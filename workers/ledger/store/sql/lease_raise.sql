-- A new owner: whoever still believes in an older epoch is behind the fence from now on.
UPDATE credits.partitions
SET epoch = epoch + 1
WHERE partition = ANY($1::integer[])
RETURNING partition, epoch, position, confirmed
