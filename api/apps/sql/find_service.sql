SELECT auth.find_service($1, $2)
