SELECT auth.erase_some($1)
