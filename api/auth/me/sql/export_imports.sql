SELECT line, balance, opened
FROM auth.list_imports_of_this_user()
