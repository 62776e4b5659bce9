SELECT kind, users
FROM auth.count_password_kinds()
