-- Every signing key, the newest first.
SELECT kid, sealed_private_key, retired_at IS NOT NULL AS retired
FROM auth.signing_keys
ORDER BY created_at DESC, kid
