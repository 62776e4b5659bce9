UPDATE auth.users
SET bonus_at_proof = false
WHERE id = $1 AND bonus_at_proof
RETURNING id
