-- $1 is for lists that are longer: a user came with one line, or with none.
SELECT line, balance, opened
FROM auth.list_imports_of_this_user()
LIMIT $1
