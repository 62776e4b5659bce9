INSERT INTO auth.signing_keys (kid, algorithm, public_jwk, sealed_private_key)
VALUES ($1, $2, $3::json, $4)
