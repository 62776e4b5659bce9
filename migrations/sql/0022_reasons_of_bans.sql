-- phase: expand
-- An act of an administrator stays when its user goes, and so does what it says, but for the reasons of bans and of their
-- ends: those are words about a person. Else as in 0015.
CREATE OR REPLACE FUNCTION auth.erase_some(most integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone auth.erasures;
    top bigint;
BEGIN
    SELECT * INTO gone FROM auth.erasures WHERE due_at <= now() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE auth.security_events SET address = NULL, user_agent = NULL, subject_hash = NULL, details = NULL
    WHERE id IN (
        SELECT id FROM auth.security_events
        WHERE user_id = gone.user_id AND actor_id IS NULL
          AND (address IS NOT NULL OR user_agent IS NOT NULL OR subject_hash IS NOT NULL OR details IS NOT NULL)
        LIMIT most);
    IF FOUND THEN
        RETURN true;
    END IF;
    UPDATE auth.security_events SET address = NULL, user_agent = NULL
    WHERE id IN (
        SELECT id FROM auth.security_events
        WHERE actor_id = gone.user_id AND (address IS NOT NULL OR user_agent IS NOT NULL) LIMIT most);
    IF FOUND THEN
        RETURN true;
    END IF;
    UPDATE auth.security_events SET details = NULL
    WHERE id IN (
        SELECT id FROM auth.security_events
        WHERE user_id = gone.user_id AND type IN ('user.banned', 'user.unbanned') AND details IS NOT NULL LIMIT most);
    IF FOUND THEN
        RETURN true;
    END IF;
    SELECT max(sequence) INTO top FROM credits.transactions WHERE account_id = gone.user_id;
    IF gone.blanked_to < coalesce(top, 0) THEN
        UPDATE credits.transactions SET description = 'deleted', metadata = NULL, reason = NULL
        WHERE account_id = gone.user_id AND sequence > gone.blanked_to AND sequence <= gone.blanked_to + most
          AND (description IS DISTINCT FROM 'deleted' OR metadata IS NOT NULL OR reason IS NOT NULL);
        UPDATE auth.erasures SET blanked_to = blanked_to + most WHERE user_id = gone.user_id;
        RETURN true;
    END IF;
    UPDATE credits.keys SET reason = NULL
    WHERE account_id = gone.user_id AND idempotency_key IN (
        SELECT idempotency_key FROM credits.keys WHERE account_id = gone.user_id AND reason IS NOT NULL LIMIT most);
    IF FOUND THEN
        RETURN true;
    END IF;
    DELETE FROM credits.refusals WHERE (account_id, idempotency_key, identity) IN (
        SELECT account_id, idempotency_key, identity FROM credits.refusals
        WHERE account_id = gone.user_id LIMIT most);
    IF FOUND THEN
        RETURN true;
    END IF;
    UPDATE auth.erasures
    SET blanked_to = 0, passes = passes + 1,
        due_at = now() + CASE passes WHEN 0 THEN interval '1 day' WHEN 1 THEN interval '7 days' ELSE interval '30 days' END
    WHERE user_id = gone.user_id;
    DELETE FROM auth.erasures WHERE user_id = gone.user_id AND passes >= 4;
    RETURN true;
END $$;
