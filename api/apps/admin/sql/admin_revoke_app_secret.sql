SELECT auth.admin_revoke_app_secret($1, $2)
