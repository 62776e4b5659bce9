SELECT id, session_id, type, details, created_at
FROM auth.list_acts_upon_this_user()
WHERE (created_at, id) > (coalesce($2, '-infinity'::timestamptz),
                          coalesce($3, '00000000-0000-0000-0000-000000000000'::uuid))
ORDER BY created_at, id
LIMIT $1
