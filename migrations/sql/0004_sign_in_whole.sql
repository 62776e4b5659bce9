-- phase: expand
-- Sign-in made whole: known devices, links by mail, revocations that outlive their sessions, keys that come and go by a
-- schedule, administration, deletion, suspended accounts. mana_mail is the mail worker's role.
-- Its locks stop all sign-ins, so nothing here reads the whole of a table that may be large: new checks are NOT VALID
-- until 0012, new indexes are built by 0005 to 0011 while the tables are in use.

-- ------------------------------------------------------------------------------------------------------------- users

ALTER TABLE auth.users
    ADD COLUMN language         text    NOT NULL DEFAULT 'en',
    ADD COLUMN credential_epoch integer NOT NULL DEFAULT 0,
    ADD COLUMN ban_reason       text,
    ADD CONSTRAINT users_language CHECK (language IN ('de', 'en')) NOT VALID,
    ADD CONSTRAINT users_epoch CHECK (credential_epoch >= 0) NOT VALID,
    ADD CONSTRAINT users_ban_reason CHECK (length(ban_reason) BETWEEN 1 AND 500) NOT VALID,
    ADD CONSTRAINT users_ban CHECK (ban_reason IS NULL OR banned_at IS NOT NULL) NOT VALID;
COMMENT ON COLUMN auth.users.credential_epoch IS
    'rises with each change of what proves the user: what was begun under an earlier one is not finished';

ALTER TABLE auth.sessions ADD COLUMN authenticated_at timestamptz;
COMMENT ON COLUMN auth.sessions.authenticated_at IS 'when its user last proved who it is; NULL: at its start';

ALTER TABLE auth.verification_tokens
    ADD COLUMN email_key        text    CHECK (length(email_key) <= 640),
    ADD COLUMN credential_epoch integer NOT NULL DEFAULT 0,
    ADD COLUMN device_hash      bytea   CHECK (length(device_hash) = 32),
    ADD COLUMN device_name      text    CHECK (length(device_name) BETWEEN 1 AND 200),
    ADD COLUMN failures         integer NOT NULL DEFAULT 0 CHECK (failures >= 0);
ALTER TABLE auth.verification_tokens ALTER COLUMN credential_epoch DROP DEFAULT;
COMMENT ON COLUMN auth.verification_tokens.used_at IS 'now() of the transaction that spent it; a voided one is deleted';
COMMENT ON COLUMN auth.verification_tokens.credential_epoch IS
    'the user''s when it was made, named by whoever makes it: of another epoch it is worth nothing';
COMMENT ON COLUMN auth.verification_tokens.device_hash IS
    'keyed hash of the device that a challenge was given to, as in auth.devices';
COMMENT ON COLUMN auth.verification_tokens.failures IS 'wrong answers to a challenge';
CREATE INDEX verification_tokens_expiring ON auth.verification_tokens (expires_at);

CREATE TABLE auth.devices (
    user_id      uuid        NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    device_hash  bytea       NOT NULL CHECK (length(device_hash) = 32),
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, device_hash)
);
CREATE INDEX devices_unseen ON auth.devices (last_seen_at);
COMMENT ON TABLE auth.devices IS
    'devices that have signed in, by keyed hash: others'' wrong guesses do not lock them out';

-- ------------------------------------------------------------------------------------------------------- revocations

CREATE TABLE auth.revocations (
    session_id uuid        PRIMARY KEY,
    ended_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX revocations_in_time ON auth.revocations (ended_at);
COMMENT ON TABLE auth.revocations IS 'sessions that ended before their time, for as long as a token of theirs may live';
INSERT INTO auth.revocations (session_id, ended_at)
SELECT id, ended_at FROM auth.sessions WHERE ended_at > now() - interval '26 hours';

CREATE OR REPLACE FUNCTION auth.announce_end_of_session() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO auth.revocations (session_id) VALUES (OLD.id) ON CONFLICT DO NOTHING;
    PERFORM pg_notify('mana_session_ended', OLD.id::text);
    RETURN NULL;
END $$;
DROP TRIGGER session_deleted ON auth.sessions;
CREATE TRIGGER session_deleted AFTER DELETE ON auth.sessions
FOR EACH ROW WHEN (OLD.ended_at IS NULL AND OLD.expires_at > clock_timestamp())
EXECUTE FUNCTION auth.announce_end_of_session();

CREATE OR REPLACE FUNCTION auth.list_ended_sessions(since timestamptz) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT revocations.session_id FROM auth.revocations WHERE revocations.ended_at >= since;
END;

-- -------------------------------------------------------------------------------------------------------------- keys

ALTER TABLE auth.signing_keys
    ADD COLUMN active_from  timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN verify_until timestamptz,
    ALTER COLUMN sealed_private_key DROP NOT NULL,
    ADD CONSTRAINT signing_keys_end CHECK (retired_at IS NULL OR verify_until IS NULL OR verify_until >= retired_at),
    ADD CONSTRAINT signing_keys_private CHECK (sealed_private_key IS NOT NULL OR retired_at IS NOT NULL);
UPDATE auth.signing_keys SET active_from = created_at;
COMMENT ON COLUMN auth.signing_keys.active_from IS 'signs from then on, and was published before';
COMMENT ON COLUMN auth.signing_keys.retired_at IS 'signs no more; its private half is gone';
COMMENT ON TABLE auth.signing_keys IS
    'rows stay for good: a key that was withdrawn is not taken for a new one where a setting still brings it along';
CREATE FUNCTION auth.announce_keys() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('mana_signing_keys', '');
    RETURN NULL;
END $$;
-- For each row, so that a statement that changed none announces nothing; of equal ones a commit announces one.
CREATE TRIGGER keys_changed AFTER INSERT OR UPDATE OR DELETE ON auth.signing_keys
FOR EACH ROW EXECUTE FUNCTION auth.announce_keys();

-- ----------------------------------------------------------------------------------------------- events, mail, erasure

ALTER TABLE auth.security_events
    ADD COLUMN actor_id uuid,
    ADD COLUMN details  json,
    ADD CONSTRAINT security_events_details CHECK (octet_length(details::text) <= 4096) NOT VALID;
COMMENT ON COLUMN auth.security_events.actor_id IS 'the administrator, where it was not the user';

CREATE TABLE auth.mails (
    id               uuid        PRIMARY KEY,
    kind             text        NOT NULL CHECK (kind ~ '^[a-z_]{1,40}$'),
    user_id          uuid        REFERENCES auth.users ON DELETE CASCADE,
    email            text        CHECK (length(email) BETWEEN 3 AND 320),
    email_key        text        CHECK (length(email_key) BETWEEN 3 AND 640),
    details          json        NOT NULL DEFAULT '{}' CHECK (octet_length(details::text) <= 4096),
    credential_epoch integer     CHECK (credential_epoch >= 0),
    attempts         integer     NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    created_at       timestamptz NOT NULL DEFAULT now(),
    due_at           timestamptz NOT NULL DEFAULT now(),
    claimed_until    timestamptz,
    CONSTRAINT mails_epoch CHECK (user_id IS NULL OR credential_epoch IS NOT NULL),
    CONSTRAINT mails_recipient CHECK (user_id IS NOT NULL OR email_key IS NOT NULL),
    CONSTRAINT mails_address CHECK ((email IS NULL) = (email_key IS NULL))
);
CREATE INDEX mails_due ON auth.mails (due_at, id);
CREATE INDEX mails_of_user ON auth.mails (user_id);
COMMENT ON TABLE auth.mails IS
    'mails to be sent; a row goes when that is done. No secret is in it: a link''s token is made when the mail is sent';
COMMENT ON COLUMN auth.mails.email IS
    'where to, if not to the user''s own address; without a user: as somebody typed it';
COMMENT ON COLUMN auth.mails.credential_epoch IS
    'the user''s when it was ordered: an address does not move by what was asked for under an earlier one';

CREATE TABLE auth.erasures (
    user_id      uuid        PRIMARY KEY,
    blanked_to   bigint      NOT NULL DEFAULT 0,
    passes       integer     NOT NULL DEFAULT 0,
    due_at       timestamptz NOT NULL DEFAULT now(),
    requested_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE auth.erasures IS
    'deleted users whose events and texts in the ledger are still to be blanked: at once, and again a day later';

CREATE TABLE auth.imports (
    file_hash bytea   NOT NULL CHECK (length(file_hash) = 32),
    line      integer NOT NULL CHECK (line >= 1),
    user_id   uuid    NOT NULL,
    balance   bigint  NOT NULL CHECK (balance BETWEEN 0 AND 1000000000),
    opened    boolean NOT NULL DEFAULT false,
    PRIMARY KEY (file_hash, line)
);
CREATE INDEX imports_unopened ON auth.imports (file_hash, line) WHERE NOT opened;
COMMENT ON TABLE auth.imports IS
    'lines that were imported; a deleted user''s stay, by id alone, so that the same file does not bring the user back';

CREATE TABLE credits.suspensions (
    account_id uuid        PRIMARY KEY,
    reason     text        NOT NULL CHECK (reason IN ('banned', 'deleted')),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE credits.suspensions IS
    'whose uses are refused from now on, those that wait in a queue included; account.freeze comes behind them';

-- ------------------------------------------------------------------------------------------------- who may do what

GRANT USAGE ON SCHEMA mana, auth TO mana_mail;
GRANT SELECT ON mana.migrations TO mana_mail;

GRANT INSERT (language), UPDATE (language, credential_epoch) ON auth.users TO mana_api;
GRANT UPDATE (authenticated_at) ON auth.sessions TO mana_api;
GRANT UPDATE (failures), DELETE ON auth.verification_tokens TO mana_api;
GRANT SELECT, INSERT, UPDATE (last_seen_at), DELETE ON auth.devices TO mana_api;
GRANT UPDATE (verify_until, sealed_private_key) ON auth.signing_keys TO mana_api;
GRANT SELECT, INSERT (id, kind, user_id, email, email_key, details, credential_epoch) ON auth.mails TO mana_api;
GRANT SELECT (id, due_at), UPDATE (due_at) ON auth.mails TO mana_relay;
GRANT SELECT, UPDATE (due_at, claimed_until, attempts), DELETE ON auth.mails TO mana_mail;
-- The time of an event is the database's.
REVOKE INSERT ON auth.security_events FROM mana_api;
GRANT INSERT (id, user_id, session_id, actor_id, type, subject_hash, address, user_agent, details)
    ON auth.security_events TO mana_api;
GRANT INSERT (id, user_id, type, details) ON auth.security_events TO mana_mail;
GRANT SELECT (credential_epoch, device_name, failures) ON auth.verification_tokens TO mana_readonly;
GRANT SELECT (active_from, verify_until) ON auth.signing_keys TO mana_readonly;
GRANT SELECT ON credits.suspensions TO mana_worker;

DO $policies$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['auth.devices', 'auth.revocations', 'auth.mails', 'auth.erasures', 'auth.imports',
        'credits.suspensions']
    LOOP
        EXECUTE 'ALTER TABLE ' || name || ' ENABLE ROW LEVEL SECURITY';
        EXECUTE 'GRANT SELECT ON ' || name || ' TO mana_readonly';
        EXECUTE 'CREATE POLICY whole_r ON ' || name || ' FOR SELECT TO mana_readonly USING (true)';
    END LOOP;
END
$policies$;
CREATE POLICY own ON auth.devices TO mana_api USING (user_id = auth.this_user());
CREATE POLICY own ON auth.mails FOR SELECT TO mana_api USING (user_id = auth.this_user());
CREATE POLICY own_or_nobodys ON auth.mails FOR INSERT TO mana_api
    WITH CHECK (user_id IS NULL OR user_id = auth.this_user());
CREATE POLICY whole ON auth.mails TO mana_relay USING (true);
CREATE POLICY whole_m ON auth.mails TO mana_mail USING (true);
CREATE POLICY failures ON auth.security_events FOR INSERT TO mana_mail
    WITH CHECK (type = 'mail.failed' AND actor_id IS NULL);
-- What an administrator did to a user carries the administrator's address.
DROP POLICY own ON auth.security_events;
CREATE POLICY own ON auth.security_events FOR SELECT TO mana_api
    USING (user_id = auth.this_user() AND (actor_id IS NULL OR actor_id = auth.this_user()));
DROP POLICY own_or_nobodys ON auth.security_events;
CREATE POLICY own_or_nobodys ON auth.security_events FOR INSERT TO mana_api
    WITH CHECK ((user_id IS NULL OR user_id = auth.this_user()) AND (actor_id IS NULL OR actor_id = auth.this_user()));
-- The front makes challenges. A token that proves an address is made where its mail is, by auth.add_mail_token.
CREATE POLICY challenges ON auth.verification_tokens AS RESTRICTIVE FOR INSERT TO mana_api
    WITH CHECK (purpose = 'two_factor');
-- Nothing spends a token twice, or an expired one: neither an update nor a lock for one finds it.
CREATE POLICY unspent ON auth.verification_tokens AS RESTRICTIVE FOR UPDATE TO mana_api
    USING (used_at IS NULL AND expires_at > clock_timestamp()) WITH CHECK (true);
CREATE POLICY worker_reads ON credits.suspensions FOR SELECT TO mana_worker USING (true);

-- ------------------------------------------------------- narrow questions of the front, before or beside its own user
CREATE FUNCTION auth.find_sign_in(wanted_email_key text, wanted_device bytea)
RETURNS TABLE (user_id uuid, password_hash text, banned boolean, credential_epoch integer, known_device boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT users.id, passwords.hash, users.banned_at IS NOT NULL, users.credential_epoch,
           EXISTS (SELECT FROM auth.devices WHERE devices.user_id = users.id AND devices.device_hash = wanted_device)
    FROM auth.users LEFT JOIN auth.passwords ON passwords.user_id = users.id
    WHERE users.email_key = wanted_email_key;
END;
CREATE FUNCTION auth.is_session_live(wanted_session uuid, wanted_user uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT FROM auth.sessions JOIN auth.users ON users.id = sessions.user_id
        WHERE sessions.id = wanted_session AND sessions.user_id = wanted_user AND sessions.ended_at IS NULL
          AND sessions.expires_at > now() AND users.banned_at IS NULL);
END;
CREATE FUNCTION auth.find_token_owner(wanted_purpose text, wanted_hash bytea) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT verification_tokens.user_id FROM auth.verification_tokens
    WHERE verification_tokens.purpose = wanted_purpose AND verification_tokens.token_hash = wanted_hash;
END;
-- What the stored hashes are made with, so that unknown users can cost what known ones do.
CREATE FUNCTION auth.count_password_kinds() RETURNS TABLE (kind text, users bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN hash LIKE '$2%' THEN left(hash, 6) ELSE regexp_replace(hash, '\$[^$]*\$[^$]*$', '') END, count(*)
    FROM auth.passwords GROUP BY 1;
END;
-- An address counts as proven, or takes the old one's place, only by a token that this very transaction has spent; it
-- moves only under the epoch that the move was asked for in, so before that is raised.
CREATE FUNCTION auth.confirm_address(spent_token uuid) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE auth.users SET email_verified = true
    FROM auth.verification_tokens AS token
    WHERE users.id = auth.this_user() AND token.id = spent_token AND token.user_id = users.id
      AND token.purpose IN ('email_verify', 'password_reset') AND token.used_at = now() AND token.email = users.email
    RETURNING true;
END;
CREATE FUNCTION auth.move_address(spent_token uuid) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE auth.users SET email = token.email, email_key = token.email_key, email_verified = true
    FROM auth.verification_tokens AS token
    WHERE users.id = auth.this_user() AND token.id = spent_token AND token.user_id = users.id
      AND token.purpose = 'email_change' AND token.used_at = now() AND token.credential_epoch = users.credential_epoch
    RETURNING true;
END;
-- 7881702187399933294 is "manaadmn": administrators who leave, or put each other out, go one after the other.
CREATE FUNCTION auth.is_last_admin() RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF NOT EXISTS (SELECT FROM auth.users WHERE id = auth.this_user() AND role = 'admin') THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(7881702187399933294);
    RETURN EXISTS (SELECT FROM auth.users WHERE id = auth.this_user() AND role = 'admin')
       AND NOT EXISTS (SELECT FROM auth.users WHERE id <> auth.this_user() AND role = 'admin' AND banned_at IS NULL);
END $$;
-- Takes away who the user is. What was written about them goes by auth.erase_some, in steps.
CREATE FUNCTION auth.delete_this_user() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone CONSTANT uuid := auth.this_user();
BEGIN
    IF auth.is_last_admin() THEN
        RAISE insufficient_privilege USING MESSAGE = 'the last administrator stays';
    END IF;
    INSERT INTO credits.suspensions (account_id, reason) VALUES (gone, 'deleted')
    ON CONFLICT (account_id) DO UPDATE SET reason = 'deleted';
    INSERT INTO auth.erasures (user_id) VALUES (gone) ON CONFLICT DO NOTHING;
    DELETE FROM auth.sessions WHERE user_id = gone;
    DELETE FROM auth.users WHERE id = gone;
END $$;

-- ---------------------------------------------------------------------------------------------------- administration
CREATE FUNCTION auth.require_admin() RETURNS void
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    IF NOT EXISTS (SELECT FROM auth.users WHERE id = auth.this_user() AND role = 'admin' AND banned_at IS NULL) THEN
        RAISE insufficient_privilege USING MESSAGE = 'not an administrator';
    END IF;
END $$;
CREATE FUNCTION auth.admin_list_users(wanted_prefix text, after_id uuid, most integer) RETURNS SETOF auth.users
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.require_admin();
    RETURN QUERY SELECT users.* FROM auth.users
        WHERE users.email_key COLLATE "C" ^@ wanted_prefix AND (after_id IS NULL OR users.id > after_id)
        ORDER BY users.id LIMIT most;
END $$;
CREATE FUNCTION auth.admin_get_user(target uuid) RETURNS SETOF auth.users
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.require_admin();
    RETURN QUERY SELECT users.* FROM auth.users WHERE users.id = target;
END $$;
CREATE FUNCTION auth.admin_has_two_factor(target uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.require_admin();
    RETURN EXISTS (SELECT FROM auth.two_factor_auth WHERE user_id = target AND enabled_at IS NOT NULL);
END $$;
-- Before each act on a user: acts of administrators go one after the other, and the user's own wait.
CREATE FUNCTION auth.admin_lock_user(target uuid) RETURNS SETOF auth.users
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM pg_advisory_xact_lock(7881702187399933294);
    PERFORM auth.require_admin();
    RETURN QUERY SELECT users.* FROM auth.users WHERE users.id = target FOR UPDATE;
END $$;
-- Without a reason the ban is lifted.
CREATE FUNCTION auth.admin_set_ban(target uuid, reason text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.require_admin();
    UPDATE auth.users
    SET banned_at = CASE WHEN reason IS NULL THEN NULL ELSE now() END, ban_reason = reason,
        credential_epoch = credential_epoch + 1
    WHERE id = target;
    IF reason IS NULL THEN
        DELETE FROM credits.suspensions WHERE account_id = target AND suspensions.reason = 'banned';
    ELSE
        INSERT INTO credits.suspensions (account_id, reason) VALUES (target, 'banned') ON CONFLICT DO NOTHING;
        DELETE FROM auth.verification_tokens WHERE user_id = target;
    END IF;
END $$;
CREATE FUNCTION auth.admin_set_role(target uuid, wanted_role text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.require_admin();
    UPDATE auth.users SET role = wanted_role, credential_epoch = credential_epoch + 1 WHERE id = target;
END $$;
CREATE FUNCTION auth.admin_end_sessions(target uuid, only_session uuid, reason text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ended bigint;
BEGIN
    PERFORM auth.require_admin();
    PERFORM 1 FROM auth.sessions WHERE user_id = target AND ended_at IS NULL ORDER BY id FOR UPDATE;
    UPDATE auth.sessions SET ended_at = clock_timestamp(), ended_reason = reason
    WHERE user_id = target AND ended_at IS NULL AND (only_session IS NULL OR id = only_session);
    GET DIAGNOSTICS ended = ROW_COUNT;
    RETURN ended;
END $$;
CREATE FUNCTION auth.admin_list_sessions(target uuid) RETURNS SETOF auth.sessions
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.require_admin();
    RETURN QUERY SELECT sessions.* FROM auth.sessions
        WHERE sessions.user_id = target AND sessions.ended_at IS NULL AND sessions.expires_at > now()
        ORDER BY sessions.id DESC;
END $$;
CREATE FUNCTION auth.admin_list_events(
    wanted_user uuid, wanted_type text, from_time timestamptz, before_time timestamptz, before_id uuid, most integer
) RETURNS SETOF auth.security_events
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.require_admin();
    RETURN QUERY SELECT events.* FROM auth.security_events AS events
        WHERE (wanted_user IS NULL OR events.user_id = wanted_user)
          AND (wanted_type IS NULL OR events.type = wanted_type)
          AND (from_time IS NULL OR events.created_at >= from_time)
          AND (before_time IS NULL OR (events.created_at, events.id) < (before_time, before_id))
        ORDER BY events.created_at DESC, events.id DESC LIMIT most;
END $$;
CREATE FUNCTION auth.admin_add_event(
    new_id uuid, target uuid, target_session uuid, new_type text, from_address inet, agent text, told json
) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.require_admin();
    INSERT INTO auth.security_events (id, user_id, session_id, actor_id, type, address, user_agent, details)
    VALUES (new_id, target, target_session, auth.this_user(), new_type, from_address, agent, told);
END $$;
CREATE FUNCTION auth.admin_add_command(new_id uuid, target uuid, new_command text, new_body json) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.require_admin();
    INSERT INTO auth.outbox (id, user_id, command, body) VALUES (new_id, target, new_command, new_body);
END $$;

-- ----------------------------------------------------------------------------------------------------- the mail worker
-- Whom an order is about; and as owner_… who else has the address that it names, to be told in their own words.
CREATE FUNCTION auth.find_mail_recipient(wanted_mail uuid)
RETURNS TABLE (
    user_id uuid, email text, email_key text, name text, language text, verified boolean, banned boolean,
    owner_email text, owner_name text, owner_language text, owner_banned boolean
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT users.id, users.email, users.email_key, users.name, users.language, users.email_verified,
           users.banned_at IS NOT NULL,
           owner.email, owner.name, owner.language, owner.banned_at IS NOT NULL
    FROM auth.mails
    LEFT JOIN auth.users ON users.id = coalesce(
        mails.user_id, (SELECT named.id FROM auth.users AS named WHERE named.email_key = mails.email_key))
    LEFT JOIN auth.users AS owner ON owner.email_key = mails.email_key AND owner.id <> users.id
    WHERE mails.id = wanted_mail;
END;
-- The token of an order's link, for that order's user, purpose and address and no other. One lives for each user and
-- purpose: a newer one voids the older. It is of the epoch of now. False where there is no such order or user any more,
-- and where an address was to move under an earlier epoch than now's.
CREATE FUNCTION auth.add_mail_token(for_mail uuid, new_id uuid, new_hash bytea, life interval) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ordered auth.mails;
    owner auth.users;
    purpose_of_link text;
BEGIN
    SELECT * INTO ordered FROM auth.mails WHERE id = for_mail;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    purpose_of_link := CASE
        WHEN ordered.kind IN ('verify', 'verify_requested') THEN 'email_verify'
        WHEN ordered.kind = 'reset_requested' THEN 'password_reset'
        WHEN ordered.kind = 'change_requested' AND ordered.user_id IS NOT NULL AND ordered.email_key IS NOT NULL
            THEN 'email_change'
        END;
    IF purpose_of_link IS NULL THEN
        RAISE insufficient_privilege USING MESSAGE = 'no link in such a mail';
    END IF;
    IF ordered.user_id IS NULL THEN
        SELECT * INTO owner FROM auth.users WHERE email_key = ordered.email_key FOR NO KEY UPDATE;
    ELSE
        SELECT * INTO owner FROM auth.users WHERE id = ordered.user_id FOR NO KEY UPDATE;
    END IF;
    IF owner.id IS NULL
       OR purpose_of_link = 'email_change' AND ordered.credential_epoch IS DISTINCT FROM owner.credential_epoch THEN
        RETURN false;
    END IF;
    DELETE FROM auth.verification_tokens WHERE user_id = owner.id AND purpose = purpose_of_link;
    INSERT INTO auth.verification_tokens
        (id, user_id, purpose, token_hash, email, email_key, credential_epoch, expires_at)
    VALUES (new_id, owner.id, purpose_of_link, new_hash,
            CASE purpose_of_link WHEN 'email_change' THEN ordered.email ELSE owner.email END,
            CASE purpose_of_link WHEN 'email_change' THEN ordered.email_key ELSE owner.email_key END,
            owner.credential_epoch, clock_timestamp() + life);
    RETURN true;
END $$;

-- ---------------------------------------------------------------------------------------------------------- upkeep

-- What time has made useless, of one kind: seals, sessions, tokens, revocations, devices, mails. Answers how many rows
-- went: of sessions at most twice as many as told, of all others at most so many; 0 also while another sweeps.
-- 7881702187703166320 is "manaswep".
CREATE FUNCTION auth.sweep(kind text, most integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    went bigint;
    spent bigint;
    dead uuid[];
BEGIN
    IF NOT pg_try_advisory_xact_lock(7881702187703166320) THEN
        RETURN 0;
    END IF;
    CASE kind
    WHEN 'seals' THEN
        UPDATE auth.refresh_tokens SET sealed_successor = NULL WHERE token_hash IN (
            SELECT spent_one.token_hash
            FROM auth.refresh_tokens AS spent_one JOIN auth.sessions ON sessions.id = spent_one.session_id
            WHERE spent_one.sealed_successor IS NOT NULL
              AND (sessions.rotated_at < now() - interval '60 s' OR sessions.ended_at IS NOT NULL)
            LIMIT most FOR UPDATE OF spent_one SKIP LOCKED);
    WHEN 'sessions' THEN
        -- A session may have thousands of tokens: those go first, so that none of its deletion's steps is long.
        dead := ARRAY(
            SELECT id FROM auth.sessions
            WHERE expires_at < now() - interval '1 day' OR ended_at < now() - interval '26 hours'
            LIMIT most FOR UPDATE SKIP LOCKED);
        DELETE FROM auth.refresh_tokens WHERE token_hash IN (
            SELECT token_hash FROM auth.refresh_tokens WHERE session_id = ANY (dead) LIMIT most);
        GET DIAGNOSTICS spent = ROW_COUNT;
        DELETE FROM auth.sessions
        WHERE id = ANY (dead) AND NOT EXISTS (SELECT FROM auth.refresh_tokens WHERE session_id = sessions.id);
    WHEN 'tokens' THEN
        DELETE FROM auth.verification_tokens WHERE id IN (
            SELECT id FROM auth.verification_tokens WHERE expires_at < now() - interval '1 day'
            LIMIT most FOR UPDATE SKIP LOCKED);
    WHEN 'revocations' THEN
        DELETE FROM auth.revocations WHERE session_id IN (
            SELECT session_id FROM auth.revocations WHERE ended_at < now() - interval '26 hours'
            LIMIT most FOR UPDATE SKIP LOCKED);
    WHEN 'devices' THEN
        DELETE FROM auth.devices WHERE (user_id, device_hash) IN (
            SELECT user_id, device_hash FROM auth.devices WHERE last_seen_at < now() - interval '180 days'
            LIMIT most FOR UPDATE SKIP LOCKED);
    WHEN 'mails' THEN
        DELETE FROM auth.mails WHERE id IN (
            SELECT id FROM auth.mails WHERE created_at < now() - interval '3 days' LIMIT most FOR UPDATE SKIP LOCKED);
    END CASE;
    GET DIAGNOSTICS went = ROW_COUNT;
    RETURN went + coalesce(spent, 0);
END $$;
-- Blanks what was written about one deleted user, so many events or transactions at a time; answers whether there was
-- anything to do. What administrators did stays, but for the address and the agent of one who is deleted.
CREATE FUNCTION auth.erase_some(most integer) RETURNS boolean
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
    UPDATE credits.transactions SET description = 'deleted', metadata = NULL, reason = NULL
    WHERE account_id = gone.user_id AND sequence > gone.blanked_to AND sequence <= gone.blanked_to + most;
    IF gone.blanked_to + most < coalesce(top, 0) THEN
        UPDATE auth.erasures SET blanked_to = blanked_to + most WHERE user_id = gone.user_id;
    ELSE
        UPDATE credits.keys SET reason = NULL WHERE account_id = gone.user_id AND reason IS NOT NULL;
        DELETE FROM credits.refusals WHERE account_id = gone.user_id;
        UPDATE auth.erasures SET blanked_to = 0, passes = passes + 1, due_at = now() + interval '1 day'
        WHERE user_id = gone.user_id;
        DELETE FROM auth.erasures WHERE user_id = gone.user_id AND passes >= 2;
    END IF;
    RETURN true;
END $$;

-- Unnamed, the caller's temporary schema would come first, and its types would run the caller's code as the owner.
ALTER FUNCTION auth.find_sign_in(text) SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION auth.find_refresh_token_owner(bytea) SET search_path = pg_catalog, pg_temp;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA auth FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.find_sign_in(text, bytea), auth.is_session_live(uuid, uuid),
    auth.find_token_owner(text, bytea), auth.count_password_kinds(),
    auth.confirm_address(uuid), auth.move_address(uuid), auth.is_last_admin(), auth.delete_this_user(),
    auth.admin_list_users(text, uuid, integer), auth.admin_get_user(uuid), auth.admin_has_two_factor(uuid),
    auth.admin_lock_user(uuid), auth.admin_set_ban(uuid, text), auth.admin_set_role(uuid, text),
    auth.admin_end_sessions(uuid, uuid, text), auth.admin_list_sessions(uuid),
    auth.admin_list_events(uuid, text, timestamptz, timestamptz, uuid, integer),
    auth.admin_add_event(uuid, uuid, uuid, text, inet, text, json), auth.admin_add_command(uuid, uuid, text, json)
    TO mana_api;
GRANT EXECUTE ON FUNCTION auth.find_mail_recipient(uuid),
    auth.add_mail_token(uuid, uuid, bytea, interval) TO mana_mail;
GRANT EXECUTE ON FUNCTION auth.sweep(text, integer), auth.erase_some(integer) TO mana_relay;
