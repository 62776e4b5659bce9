-- phase: expand
-- A login that floods is kept out for a while. The rows say until when, so the end does not hang on whoever began it.

ALTER TABLE auth.app_secrets
    ADD COLUMN paused_until timestamptz,
    ADD COLUMN pauses       smallint NOT NULL DEFAULT 0;
COMMENT ON COLUMN auth.app_secrets.paused_until IS 'Before then its login may not send commands.';
COMMENT ON COLUMN auth.app_secrets.pauses IS 'How many in a row: a pause within a minute of the last one is the longer.';

CREATE TRIGGER app_login_paused AFTER UPDATE OF paused_until ON auth.app_secrets
FOR EACH STATEMENT EXECUTE FUNCTION credits.announce_apps();

-- How long the login is paused now, and whether that was only now decided; no row for a login that no live secret has.
-- It lasts `shortest`, twice as long each time in a row, and twelve times as long at most.
CREATE FUNCTION credits.pause_app_login(wanted_login text, shortest interval)
RETURNS TABLE (seconds double precision, decided boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    secret   auth.app_secrets;
    in_a_row smallint := 1;
BEGIN
    SELECT * INTO secret FROM auth.app_secrets
    WHERE id = split_part(wanted_login, '.', 2) AND app_id = split_part(wanted_login, '.', 1) AND revoked_at IS NULL
    FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    decided := secret.paused_until IS NULL OR secret.paused_until <= clock_timestamp();
    IF decided THEN
        IF secret.paused_until > clock_timestamp() - interval '1 minute' THEN
            in_a_row := least(secret.pauses + 1, 5);
        END IF;
        secret.paused_until := clock_timestamp() + shortest * least(2 ^ (in_a_row - 1), 12);
        UPDATE auth.app_secrets SET paused_until = secret.paused_until, pauses = in_a_row WHERE id = secret.id;
        INSERT INTO auth.security_events (id, type, details)
        VALUES (gen_random_uuid(), 'app.paused', json_build_object(
            'app', secret.app_id, 'secret', secret.id, 'until', secret.paused_until, 'inARow', in_a_row));
    END IF;
    seconds := extract(epoch FROM secret.paused_until - clock_timestamp());
    RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION credits.pause_app_login(text, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION credits.pause_app_login(text, interval) TO mana_worker;
GRANT SELECT (paused_until, pauses) ON auth.app_secrets TO mana_readonly;
