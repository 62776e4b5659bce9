SELECT low_threshold FROM credits.balances WHERE account_id = $1
