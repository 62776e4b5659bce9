INSERT INTO auth.outbox (id, user_id, command, body)
VALUES ($1, $2, $3, $4::json)
