-- phase: expand
-- For a user's export: what is kept about them in rows that the front may not read itself.

-- What administrators did to the user: without who they are and where they sat.
CREATE FUNCTION auth.list_acts_upon_this_user()
RETURNS TABLE (id uuid, session_id uuid, type text, details json, created_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT events.id, events.session_id, events.type, events.details, events.created_at
    FROM auth.security_events AS events
    WHERE events.user_id = auth.this_user() AND events.actor_id <> auth.this_user()
    ORDER BY events.created_at, events.id;
END;

CREATE INDEX imports_of_user ON auth.imports (user_id);
CREATE FUNCTION auth.list_imports_of_this_user() RETURNS TABLE (line integer, balance bigint, opened boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT imports.line, imports.balance, imports.opened
    FROM auth.imports
    WHERE imports.user_id = auth.this_user()
    ORDER BY imports.file_hash, imports.line;
END;

REVOKE ALL ON FUNCTION auth.list_acts_upon_this_user(), auth.list_imports_of_this_user() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.list_acts_upon_this_user(), auth.list_imports_of_this_user() TO mana_api;
