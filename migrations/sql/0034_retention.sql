-- phase: expand
-- How long ended sessions stay is the operator's to say, and acts of operators stay as long as administrators' do.

-- As auth.sweep('sessions', …), which relays of before go on to call: sessions that ended, or expired, longer ago than
-- told. Nobody makes it forget an end that a front may not have heard of yet: 26 hours.
-- 7881702187703166320 is "manaswep".
CREATE FUNCTION auth.sweep_sessions(older_than interval, most integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    told  CONSTANT timestamptz := now() - greatest(older_than, interval '26 hours');
    dead  uuid[];
    spent bigint;
    went  bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7881702187703166320) THEN
        RETURN 0;
    END IF;
    -- A session may have thousands of tokens: those go first, so that none of its deletion's steps is long.
    dead := ARRAY(
        SELECT id FROM auth.sessions WHERE expires_at < told OR ended_at < told LIMIT most FOR UPDATE SKIP LOCKED);
    DELETE FROM auth.refresh_tokens WHERE token_hash IN (
        SELECT token_hash FROM auth.refresh_tokens WHERE session_id = ANY (dead) LIMIT most);
    GET DIAGNOSTICS spent = ROW_COUNT;
    DELETE FROM auth.sessions
    WHERE id = ANY (dead) AND NOT EXISTS (SELECT FROM auth.refresh_tokens WHERE session_id = sessions.id);
    GET DIAGNOSTICS went = ROW_COUNT;
    RETURN went + spent;
END $$;
REVOKE ALL ON FUNCTION auth.sweep_sessions(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.sweep_sessions(interval, integer) TO mana_relay;

-- As in 0015, but for acts of operators (./mana apps, ./mana dead …), which have no actor's id: five years too.
CREATE OR REPLACE FUNCTION auth.sweep_events(older_than interval, most integer) RETURNS bigint
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
        WHERE created_at < told
          AND (created_at < acts OR actor_id IS NULL AND details ->> 'by' IS DISTINCT FROM 'operator')
        ORDER BY created_at, id LIMIT most FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS went = ROW_COUNT;
    RETURN went;
END $$;
