-- Neither sign nor verify any more, whatever was promised of them. (least ignores NULL, which is "without an end".)
UPDATE auth.signing_keys
SET retired_at = coalesce(retired_at, statement_timestamp()), verify_until = least(verify_until, statement_timestamp()),
    sealed_private_key = NULL
WHERE kid = ANY ($1::text[])
