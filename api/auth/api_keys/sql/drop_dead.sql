-- What is long over is told by the security events.
DELETE FROM auth.api_keys WHERE user_id = $1 AND least(revoked_at, expires_at) < now() - interval '90 days'
