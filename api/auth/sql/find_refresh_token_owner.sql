SELECT auth.find_refresh_token_owner($1)
