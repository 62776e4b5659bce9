DELETE FROM auth.verification_tokens
WHERE user_id = $1 AND purpose <> 'email_verify' AND id IS DISTINCT FROM $2::uuid
