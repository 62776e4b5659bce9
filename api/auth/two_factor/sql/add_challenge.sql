INSERT INTO auth.verification_tokens
    (id, user_id, purpose, token_hash, expires_at, credential_epoch, device_hash, device_name)
VALUES ($1, $2, 'two_factor', $3, clock_timestamp() + $4::interval, $5, $6, $7)
