SELECT credits.revoke_app($1)
