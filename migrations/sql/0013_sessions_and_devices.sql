-- phase: expand
-- The id that a device calls itself by opens that device's own counter of wrong guesses, so readers do not see it.
REVOKE SELECT ON auth.sessions FROM mana_readonly;
GRANT SELECT (id, user_id, device_name, address, user_agent, generation, rotated_at, created_at, last_active_at,
    expires_at, ended_at, ended_reason, authenticated_at) ON auth.sessions TO mana_readonly;

-- The same question as before. A function in plpgsql keeps its plan; one in SQL is planned anew for each request.
CREATE OR REPLACE FUNCTION auth.is_session_live(wanted_session uuid, wanted_user uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    RETURN EXISTS (
        SELECT FROM auth.sessions JOIN auth.users ON users.id = sessions.user_id
        WHERE sessions.id = wanted_session AND sessions.user_id = wanted_user AND sessions.ended_at IS NULL
          AND sessions.expires_at > clock_timestamp() AND users.banned_at IS NULL);
END $$;
