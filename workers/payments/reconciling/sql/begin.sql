INSERT INTO credits.reconciliations (asked_by, livemode, since) VALUES ($1, $2, $3) RETURNING id
