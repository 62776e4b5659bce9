SELECT count(*) FROM credits.partitions
