SELECT auth.is_last_admin()
