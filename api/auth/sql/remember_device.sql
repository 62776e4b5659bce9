INSERT INTO auth.devices (user_id, device_hash)
VALUES ($1, $2)
ON CONFLICT (user_id, device_hash) DO UPDATE SET last_seen_at = now()
WHERE devices.last_seen_at < now() - interval '1 day'
RETURNING created_at = now() AS is_new
