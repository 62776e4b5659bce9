-- A challenge that was spent, voided or has expired is not found.
SELECT id, credential_epoch AS epoch, device_hash, device_name, failures
FROM auth.verification_tokens
WHERE purpose = 'two_factor' AND token_hash = $1
FOR UPDATE
