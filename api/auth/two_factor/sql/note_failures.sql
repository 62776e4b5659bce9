-- $3 is how long the factor is locked, NULL for not at all.
UPDATE auth.two_factor_auth
SET failures = $2, locked_until = clock_timestamp() + $3::interval
WHERE user_id = $1
