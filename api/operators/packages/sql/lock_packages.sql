-- As auth.admin_lock_packages, for the owner.
LOCK TABLE credits.packages IN SHARE ROW EXCLUSIVE MODE
