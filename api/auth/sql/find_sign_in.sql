SELECT user_id, password_hash, banned, credential_epoch, known_device
FROM auth.find_sign_in($1, $2)
