SELECT line, user_id, balance
FROM auth.imports
WHERE file_hash = $1 AND NOT opened AND line > $2
ORDER BY line
LIMIT $3
