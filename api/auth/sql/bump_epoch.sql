UPDATE auth.users
SET credential_epoch = credential_epoch + 1
WHERE id = $1
RETURNING credential_epoch
