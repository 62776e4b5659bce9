UPDATE auth.users
SET bonus_at_proof = true
WHERE id = $1
