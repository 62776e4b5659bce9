-- As auth.admin_lock_apps, for the owner.
LOCK TABLE credits.apps IN SHARE ROW EXCLUSIVE MODE
