SELECT auth.admin_revoke_app($1)
