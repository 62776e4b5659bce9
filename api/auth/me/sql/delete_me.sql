SELECT auth.delete_this_user()
