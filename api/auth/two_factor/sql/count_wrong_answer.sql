UPDATE auth.verification_tokens
SET failures = failures + 1
WHERE id = $1
