SELECT auth.admin_lock_apps()
