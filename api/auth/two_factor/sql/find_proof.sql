-- What a user proves who they are with; no hash where they have no password.
SELECT passwords.hash AS password_hash, users.credential_epoch AS epoch,
       EXISTS (SELECT FROM auth.two_factor_auth WHERE user_id = users.id AND enabled_at IS NOT NULL) AS two_factor
FROM auth.users LEFT JOIN auth.passwords ON passwords.user_id = users.id
WHERE users.id = $1
