SELECT email AS address, email_key AS key
FROM auth.users
WHERE id = $1
