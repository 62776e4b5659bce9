SELECT created_at, last_seen_at, device_hash AS _hash
FROM auth.devices
WHERE user_id = auth.this_user()
  AND device_hash > coalesce($2, ''::bytea)
ORDER BY device_hash
LIMIT $1
