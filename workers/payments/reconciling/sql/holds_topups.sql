SELECT EXISTS (SELECT FROM credits.topup_rounds WHERE livemode = $1 AND due_at = 'infinity')
