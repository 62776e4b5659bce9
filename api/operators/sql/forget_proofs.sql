-- All but the password that could let somebody in, or keep somebody out.
WITH token AS (
    DELETE FROM auth.verification_tokens WHERE user_id = $1
),
factor AS (
    DELETE FROM auth.two_factor_auth WHERE user_id = $1
),
identity AS (
    DELETE FROM auth.accounts WHERE user_id = $1
)
DELETE FROM auth.devices WHERE user_id = $1
