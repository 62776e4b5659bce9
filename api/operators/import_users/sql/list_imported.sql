SELECT line
FROM auth.imports
WHERE file_hash = $1 AND line BETWEEN $2 AND $3
