-- Sign no more, and verify for some time; the private halves are gone.
UPDATE auth.signing_keys
SET retired_at = statement_timestamp(), verify_until = statement_timestamp() + $2::interval, sealed_private_key = NULL
WHERE kid = ANY ($1::text[]) AND retired_at IS NULL
