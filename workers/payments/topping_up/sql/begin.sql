SELECT credits.begin_topup($1, $2)
