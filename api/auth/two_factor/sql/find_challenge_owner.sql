SELECT auth.find_token_owner('two_factor', $1)
