-- phase: expand
-- Security events do not stay for ever, and a deleted user's data goes in steps to the last, for longer.

-- Events older than told, the oldest first, so many at most; answers how many went: 0 also while another sweeps, or
-- where only those are left that others hold. Acts of administrators stay for five years. Nobody makes it forget what
-- happened lately.
-- 7881702187703166320 is "manaswep".
CREATE FUNCTION auth.sweep_events(older_than interval, most integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    told  CONSTANT timestamptz := now() - greatest(older_than, interval '90 days');
    acts  CONSTANT timestamptz := now() - greatest(older_than, interval '5 years');
    went  bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7881702187703166320) THEN
        RETURN 0;
    END IF;
    DELETE FROM auth.security_events WHERE id IN (
        SELECT id FROM auth.security_events
        WHERE created_at < told AND (actor_id IS NULL OR created_at < acts)
        ORDER BY created_at, id LIMIT most FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS went = ROW_COUNT;
    RETURN went;
END $$;
REVOKE ALL ON FUNCTION auth.sweep_events(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.sweep_events(interval, integer) TO mana_relay;

COMMENT ON TABLE auth.erasures IS
    'deleted users whose events and texts in the ledger are still to be blanked: at once, and again 1, 8 and 38 days later';

-- As in 0004, but for three things: keys and refusals go in steps as well; what is blank already is not written again;
-- and there are four passes, since an app may refund, and say why, long after its user is gone.
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
