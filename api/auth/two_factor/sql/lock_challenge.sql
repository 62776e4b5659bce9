-- A challenge that was spent, voided or has expired is not found. known_device: the password came from one that the user
-- had signed in from before.
SELECT id, credential_epoch AS epoch, device_hash, device_name, failures,
       EXISTS (SELECT FROM auth.devices
               WHERE devices.user_id = challenge.user_id AND devices.device_hash = challenge.device_hash) AS known_device
FROM auth.verification_tokens AS challenge
WHERE purpose = 'two_factor' AND token_hash = $1
FOR UPDATE
