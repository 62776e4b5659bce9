-- All was looked at; whoever is first may do so again after $2.
UPDATE credits.topup_rounds SET due_at = now() + $2::interval, ended_at = now() WHERE livemode = $1
