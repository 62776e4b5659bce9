DELETE FROM auth.mails
WHERE id = $1 AND claimed_until = $2
