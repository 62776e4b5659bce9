-- Living sessions, the newest first. The device's own id is not told: it opens that device's counter of wrong guesses.
SELECT id, device_name, device_id IS NOT NULL AS known_device, host(address) AS address, user_agent, created_at,
       last_active_at, expires_at
FROM auth.sessions
WHERE user_id = $1 AND ended_at IS NULL AND expires_at > clock_timestamp()
ORDER BY created_at DESC, id DESC
