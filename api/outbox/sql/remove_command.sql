DELETE FROM auth.outbox
WHERE id = $1
