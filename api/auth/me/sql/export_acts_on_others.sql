SELECT id, type, host(address) AS address, user_agent, created_at
FROM auth.list_acts_of_this_user($1, $2, $3)
