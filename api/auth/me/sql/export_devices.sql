SELECT created_at, last_seen_at
FROM auth.devices
WHERE user_id = auth.this_user()
ORDER BY created_at
