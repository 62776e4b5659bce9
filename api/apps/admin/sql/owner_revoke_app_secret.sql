SELECT auth.revoke_app_secret($1, $2)
