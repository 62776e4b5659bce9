SELECT true FROM credits.packages WHERE id = $1 AND active
