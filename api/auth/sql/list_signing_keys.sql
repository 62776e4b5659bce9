-- Every signing key, the one that signs first where several may; seconds_left as a verifying key, NULL without an end.
SELECT kid, public_jwk, sealed_private_key, retired_at IS NULL AND active_from <= clock_timestamp() AS signs,
       extract(epoch FROM verify_until - clock_timestamp())::float8 AS seconds_left
FROM auth.signing_keys
ORDER BY active_from DESC, kid
