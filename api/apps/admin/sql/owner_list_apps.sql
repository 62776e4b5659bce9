SELECT * FROM auth.known_apps WHERE $1::text IS NULL OR id = $1 ORDER BY id
