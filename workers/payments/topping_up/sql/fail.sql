SELECT credits.fail_topup($1, $2, $3)
