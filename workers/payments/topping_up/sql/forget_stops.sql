DELETE FROM credits.topup_stops WHERE id = ANY ($1::uuid[])
