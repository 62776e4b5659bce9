UPDATE auth.users
SET role = 'admin', email_verified = true, credential_epoch = credential_epoch + 1
WHERE id = $1
