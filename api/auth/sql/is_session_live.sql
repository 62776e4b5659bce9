SELECT true
FROM auth.sessions JOIN auth.users ON users.id = sessions.user_id
WHERE sessions.id = $1 AND sessions.ended_at IS NULL AND sessions.expires_at > now() AND users.banned_at IS NULL
