DELETE FROM auth.devices
WHERE user_id = $1
