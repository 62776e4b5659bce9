SELECT completed_at FROM credits.transactions WHERE partition = $1 AND position = $2
