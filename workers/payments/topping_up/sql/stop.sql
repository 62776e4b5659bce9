SELECT credits.stop_topup($1, $2)
