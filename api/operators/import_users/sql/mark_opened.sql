UPDATE auth.imports
SET opened = true
WHERE file_hash = $1 AND line = ANY($2::integer[])
