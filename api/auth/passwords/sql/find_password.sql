-- Of the user that the transaction is for; no hash where the user has no password.
SELECT users.email, users.name, users.credential_epoch AS epoch, passwords.hash
FROM auth.users LEFT JOIN auth.passwords ON passwords.user_id = users.id
WHERE users.id = $1
