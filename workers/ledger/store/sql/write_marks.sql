UPDATE credits.partitions AS partition
SET confirmed = greatest(partition.confirmed, mark.confirmed)
FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) AS mark (partition, epoch, confirmed)
WHERE partition.partition = mark.partition
  AND partition.epoch = mark.epoch
RETURNING partition.partition
