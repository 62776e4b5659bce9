-- The spent token keeps its successor for a client that lost the answer; what it was the successor of forgets it.
UPDATE auth.refresh_tokens
SET sealed_successor = CASE WHEN token_hash = $2 THEN $3::bytea END
WHERE session_id = $1 AND (token_hash = $2 OR sealed_successor IS NOT NULL)
