-- Every signing key; times in seconds since 1970, and what the clock says by which they count.
SELECT kid, algorithm, public_jwk, sealed_private_key, retired_at IS NOT NULL AS retired,
       extract(epoch FROM active_from)::float8 AS active_from, extract(epoch FROM verify_until)::float8 AS verify_until,
       extract(epoch FROM clock_timestamp())::float8 AS at
FROM auth.signing_keys
ORDER BY active_from DESC, kid
