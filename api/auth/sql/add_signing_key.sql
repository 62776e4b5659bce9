-- Signs from now on, or from some time later.
INSERT INTO auth.signing_keys (kid, algorithm, public_jwk, sealed_private_key, active_from)
VALUES ($1, $2, $3::json, $4, clock_timestamp() + $5::interval)
