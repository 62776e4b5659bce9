-- phase: contract
-- Statistics of use by user, app, day, hour and model, which a subscriber keeps (workers/usage). The ledger worker of before
-- wrote coarser ones within its batches, and must not run with this.

DROP TABLE credits.usage_stats;
CREATE TABLE credits.usage_stats (
    account_id uuid     NOT NULL,
    day        date     NOT NULL,
    hour       smallint NOT NULL CHECK (hour BETWEEN 0 AND 23),
    app_id     text     NOT NULL CHECK (char_length(app_id) BETWEEN 1 AND 64),
    model      text     NOT NULL CHECK (char_length(model) <= 100),
    uses       bigint   NOT NULL CHECK (uses >= 0),
    credits    bigint   NOT NULL CHECK (credits >= uses),
    refunds    bigint   NOT NULL CHECK (refunds >= 0),
    refunded   bigint   NOT NULL CHECK (refunded >= refunds),
    PRIMARY KEY (account_id, day, hour, app_id, model)
) WITH (fillfactor = 70);
COMMENT ON TABLE credits.usage_stats IS
    'Usages and the credits they took, refunds and the credits they gave back, each when it happened (UTC).';
COMMENT ON COLUMN credits.usage_stats.model IS
    'metadata.model of the usage, also where it is given back; empty where it has none.';

CREATE TABLE credits.usage_progress (
    account_id       uuid    NOT NULL PRIMARY KEY,
    sequence         bigint  NOT NULL CHECK (sequence >= 0),
    models_forgotten boolean NOT NULL DEFAULT false
) WITH (fillfactor = 70);
COMMENT ON TABLE credits.usage_progress IS 'Up to which of an account''s transactions the statistics know.';
COMMENT ON COLUMN credits.usage_progress.models_forgotten IS
    'The user was deleted, and with what the apps wrote about usages their models go: all count as having none.';

CREATE TABLE credits.usage_reader (
    single        boolean     NOT NULL DEFAULT true PRIMARY KEY CHECK (single),
    stream_offset bigint      NOT NULL CHECK (stream_offset >= 0),
    event_id      text        NOT NULL,
    read_at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE credits.usage_reader IS 'The last event of the stream that was counted in; no row before the first one.';
COMMENT ON COLUMN credits.usage_reader.event_id IS 'Its id: a stream that was made anew has another event at that place.';

-- As workers.usage.reading has it. Where a name is doubled, both take the last one.
CREATE FUNCTION credits.model_of(metadata json) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN json_typeof(metadata -> 'model') = 'string' AND char_length(metadata ->> 'model') <= 100
    THEN metadata ->> 'model'
    ELSE ''
END;

-- Before the ledger's rows are blanked (auth.erase_some): so both always come to the same statistics.
CREATE FUNCTION credits.forget_models() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Whoever counts has the account's row locked, and looks at it then.
    INSERT INTO credits.usage_progress (account_id, sequence, models_forgotten) VALUES (NEW.user_id, 0, true)
    ON CONFLICT (account_id) DO UPDATE SET models_forgotten = true;
    WITH named AS (
        DELETE FROM credits.usage_stats WHERE account_id = NEW.user_id AND model <> '' RETURNING *
    )
    INSERT INTO credits.usage_stats AS stats (account_id, day, hour, app_id, model, uses, credits, refunds, refunded)
    SELECT account_id, day, hour, app_id, '', sum(uses), sum(credits), sum(refunds), sum(refunded)
    FROM named
    GROUP BY account_id, day, hour, app_id
    ON CONFLICT (account_id, day, hour, app_id, model) DO UPDATE
    SET uses = stats.uses + excluded.uses, credits = stats.credits + excluded.credits,
        refunds = stats.refunds + excluded.refunds, refunded = stats.refunded + excluded.refunded;
    RETURN NULL;
END $$;
CREATE TRIGGER erasures_forget_models AFTER INSERT ON auth.erasures
FOR EACH ROW EXECUTE FUNCTION credits.forget_models();
REVOKE ALL ON FUNCTION credits.forget_models() FROM PUBLIC;

GRANT USAGE ON SCHEMA mana, credits TO mana_usage;
GRANT SELECT ON mana.migrations TO mana_usage;
GRANT SELECT, INSERT, UPDATE, DELETE ON credits.usage_stats, credits.usage_progress, credits.usage_reader TO mana_usage;
GRANT SELECT (account_id, id, sequence, type, amount, app_id, metadata, refers_to, created_at) ON credits.transactions
    TO mana_usage;
GRANT SELECT (account_id, sequence) ON credits.balances TO mana_usage;
GRANT SELECT ON credits.usage_stats, credits.usage_progress TO mana_api;
GRANT SELECT ON credits.usage_stats, credits.usage_progress, credits.usage_reader TO mana_readonly;

DO $policies$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['usage_stats', 'usage_progress']
    LOOP
        EXECUTE format('ALTER TABLE credits.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY all_rows ON credits.%I FOR SELECT TO mana_readonly USING (true)', name);
        EXECUTE format('CREATE POLICY counting ON credits.%I TO mana_usage USING (true)', name);
        EXECUTE format(
            'CREATE POLICY own_rows ON credits.%I FOR SELECT TO mana_api '
            'USING (account_id = nullif(current_setting(''app.user_id'', true), '''')::uuid)', name);
    END LOOP;
END
$policies$;
CREATE POLICY counting_reads ON credits.transactions FOR SELECT TO mana_usage USING (true);
CREATE POLICY counting_reads ON credits.balances FOR SELECT TO mana_usage USING (true);
