-- What a device is known by is a secret: of it only the keyed hash is kept, as in auth.devices.
INSERT INTO auth.sessions (id, user_id, device_id, device_name, address, user_agent, expires_at)
VALUES ($1, $2, encode($3::bytea, 'hex'), $4, $5::text::inet, $6, now() + $7::interval)
RETURNING expires_at
