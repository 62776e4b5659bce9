SELECT ended_at FROM credits.topup_rounds WHERE livemode = $1
