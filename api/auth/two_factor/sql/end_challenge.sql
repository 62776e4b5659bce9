DELETE FROM auth.verification_tokens
WHERE id = $1
