-- Without the id that a device calls itself by: it opens that device's own counter of wrong guesses.
SELECT id, device_name, host(address) AS address, user_agent, created_at, authenticated_at, rotated_at, last_active_at,
       expires_at, ended_at, ended_reason
FROM auth.sessions
WHERE user_id = auth.this_user()
  AND id > coalesce($2, '00000000-0000-0000-0000-000000000000'::uuid)
ORDER BY id
LIMIT $1
