SELECT partition, position FROM credits.partitions ORDER BY partition
