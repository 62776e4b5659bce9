-- Nobody else looks for those who are due until $2 has passed, or this turn has ended.
UPDATE credits.topup_rounds SET due_at = now() + $2::interval WHERE livemode = $1 AND due_at <= now() RETURNING livemode
