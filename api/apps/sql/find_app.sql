SELECT permissions, revoked, secret_ids, hashes FROM auth.find_app($1)
