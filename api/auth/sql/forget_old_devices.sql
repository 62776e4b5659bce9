DELETE FROM auth.devices
WHERE user_id = $1 AND device_hash IN (
    SELECT device_hash FROM auth.devices
    WHERE user_id = $1
    ORDER BY last_seen_at DESC, created_at DESC, device_hash
    OFFSET $2
    FOR UPDATE SKIP LOCKED
)
