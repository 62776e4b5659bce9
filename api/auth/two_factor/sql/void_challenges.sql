DELETE FROM auth.verification_tokens
WHERE user_id = $1 AND purpose = 'two_factor'
