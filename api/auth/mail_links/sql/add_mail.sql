INSERT INTO auth.mails (id, kind, user_id, email, email_key, details)
VALUES ($1, $2, $3, $4, $5, $6::json)
