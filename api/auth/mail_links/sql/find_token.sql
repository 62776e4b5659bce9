SELECT id, purpose, email, credential_epoch AS epoch
FROM auth.verification_tokens
WHERE purpose = $1 AND token_hash = $2 AND used_at IS NULL AND expires_at > clock_timestamp()
