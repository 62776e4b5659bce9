SELECT auth.find_token_owner($1, $2)
