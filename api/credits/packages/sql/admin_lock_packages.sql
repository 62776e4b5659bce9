SELECT auth.admin_lock_packages()
