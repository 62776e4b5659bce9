-- One at a time for each user: whoever answers a challenge, and whoever is given one. Taken before any lock of a token.
SELECT sealed_secret, recovery_hashes, last_step, failures, enabled_at IS NOT NULL AS enabled,
       CASE WHEN locked_until > clock_timestamp() THEN locked_until - clock_timestamp() END AS locked
FROM auth.two_factor_auth
WHERE user_id = $1
FOR UPDATE
