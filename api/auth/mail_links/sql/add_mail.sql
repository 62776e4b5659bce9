INSERT INTO auth.mails (id, kind, user_id, email, email_key, details, credential_epoch)
VALUES ($1, $2, $3, $4, $5, $6::json, (SELECT credential_epoch FROM auth.users WHERE id = $3))
