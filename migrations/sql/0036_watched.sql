-- phase: expand
-- What those who watch want to know and no process remembers: when the books were verified, when a backup was taken.

CREATE TABLE mana.verifications (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    begun_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL DEFAULT clock_timestamp() CHECK (ended_at >= begun_at),
    broken   text[]      NOT NULL
);
COMMENT ON TABLE mana.verifications IS 'Each time that every invariant of the ledger was looked at to the end.';
COMMENT ON COLUMN mana.verifications.broken IS 'The invariants that did not hold, by the names that ./mana verify gives them.';

CREATE TABLE mana.backups (
    id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ended_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    place    text        NOT NULL CHECK (length(place) BETWEEN 1 AND 1000)
);
COMMENT ON TABLE mana.backups IS 'Each backup that ./mana backup took, or that whoever backs up by other means noted.';
COMMENT ON COLUMN mana.backups.place IS 'Where it was put, in words of who took it.';

GRANT SELECT, INSERT (begun_at, broken) ON mana.verifications TO mana_worker;
GRANT SELECT ON mana.backups TO mana_relay;
GRANT SELECT ON mana.verifications, mana.backups TO mana_readonly;

-- Who verifies the books reads all that they are made of.
GRANT SELECT ON credits.usage_stats, credits.usage_progress TO mana_worker;
CREATE POLICY worker_verifies ON credits.usage_stats FOR SELECT TO mana_worker USING (true);
CREATE POLICY worker_verifies ON credits.usage_progress FOR SELECT TO mana_worker USING (true);
