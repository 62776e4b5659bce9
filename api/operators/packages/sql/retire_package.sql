UPDATE credits.packages SET active = false WHERE id = $1
