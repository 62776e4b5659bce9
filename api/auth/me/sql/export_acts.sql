SELECT id, session_id, type, details, created_at
FROM auth.list_acts_upon_this_user()
