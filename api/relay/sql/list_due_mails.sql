-- Without locks: a deletion that takes the order along must not wait for the broker.
SELECT id FROM auth.mails
WHERE due_at <= now()
ORDER BY due_at, id
LIMIT $1
