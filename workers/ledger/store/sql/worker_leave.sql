DELETE FROM credits.workers WHERE id = $1
