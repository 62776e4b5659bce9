-- phase: expand
-- Buying, all but the ledger's part (0023): prices in other currencies, Stripe's customers, its events, top-ups, and the
-- role of the worker that Stripe tells. Programs of before know none of it.

-- ---------------------------------------------------------------------------------------------------------- packages

CREATE TABLE credits.package_prices (
    package_id      text   NOT NULL REFERENCES credits.packages,
    currency        text   NOT NULL CHECK (currency ~ '^[a-z]{3}$' AND currency <> 'eur'),
    amount          bigint NOT NULL CHECK (amount BETWEEN 1 AND 1000000000000),
    stripe_price_id text   CHECK (length(stripe_price_id) BETWEEN 1 AND 255),
    PRIMARY KEY (package_id, currency)
);
COMMENT ON TABLE credits.package_prices IS 'What a package costs in other currencies than euro.';
COMMENT ON COLUMN credits.package_prices.amount IS 'In the smallest unit of currency.';

-- 100 credits are 1 euro, and the larger the cheaper. A package that somebody has changed stays as it is.
UPDATE credits.packages SET price_euro_cents = cheaper.cents
FROM (VALUES ('credits-2500', 2500, 2400), ('credits-5000', 5000, 4600), ('credits-10000', 10000, 9000))
    AS cheaper (id, was, cents)
WHERE packages.id = cheaper.id AND packages.credits = cheaper.was AND packages.price_euro_cents = cheaper.was
  AND packages.stripe_price_id IS NULL;

-- --------------------------------------------------------------------------------------------------------- purchases

ALTER TABLE credits.purchases
    ADD COLUMN request_hash     bytea    CHECK (octet_length(request_hash) = 32),
    ADD COLUMN client_key       text     CHECK (length(client_key) BETWEEN 1 AND 200),
    ADD COLUMN checkout_attempt smallint NOT NULL DEFAULT 1 CHECK (checkout_attempt BETWEEN 1 AND 1000);
COMMENT ON COLUMN credits.purchases.request_hash IS
    'SHA-256 of what was asked for: the same again within some minutes is the same purchase.';
COMMENT ON COLUMN credits.purchases.client_key IS 'The client''s own idempotency key, where it sent one.';
COMMENT ON COLUMN credits.purchases.checkout_attempt IS
    'Part of the idempotency key that Stripe is sent: it rises where Stripe remembers a failure under the last one.';
CREATE UNIQUE INDEX purchases_one_per_client_key ON credits.purchases (account_id, client_key)
    WHERE client_key IS NOT NULL;

CREATE TABLE credits.customers (
    account_id         uuid    NOT NULL,
    livemode           boolean NOT NULL,
    stripe_customer_id text    NOT NULL CHECK (length(stripe_customer_id) BETWEEN 1 AND 255),
    PRIMARY KEY (account_id, livemode)
);
COMMENT ON TABLE credits.customers IS 'Who a user is at Stripe, in its live and its test mode.';

-- ------------------------------------------------------------------------------------------------------------ events

ALTER TABLE credits.stripe_events
    ADD COLUMN body       bytea,
    ADD COLUMN created_at timestamptz,
    ADD COLUMN livemode   boolean,
    ADD COLUMN account_id uuid,
    ADD COLUMN keys       text[],
    ADD COLUMN outcome    text     CHECK (outcome IN ('done', 'ignored', 'refused')),
    ADD COLUMN reason     text     CHECK (length(reason) <= 2000),
    ADD COLUMN tries      integer  NOT NULL DEFAULT 0 CHECK (tries >= 0),
    ADD COLUMN due_at     timestamptz,
    ADD COLUMN done_at    timestamptz,
    ADD CONSTRAINT stripe_events_done CHECK (done_at IS NULL OR outcome IS NOT NULL);
COMMENT ON COLUMN credits.stripe_events.body IS 'As it came; forgotten some time after it was worked off.';
COMMENT ON COLUMN credits.stripe_events.created_at IS 'When it happened, by Stripe''s clock.';
COMMENT ON COLUMN credits.stripe_events.keys IS
    'Idempotency keys, on account_id, of the commands that it was translated to: it is done once the ledger holds them all.';
COMMENT ON COLUMN credits.stripe_events.due_at IS 'When its commands are sent again, unless it is done by then.';
COMMENT ON COLUMN credits.stripe_events.processed_at IS 'Replaced by done_at; nothing writes it.';
CREATE INDEX stripe_events_due ON credits.stripe_events (due_at) WHERE done_at IS NULL;
CREATE INDEX stripe_events_received ON credits.stripe_events (received_at);

-- ----------------------------------------------------------------------------------------------------------- top-ups

CREATE TABLE credits.topups (
    account_id               uuid        NOT NULL PRIMARY KEY,
    below                    bigint      NOT NULL CHECK (below BETWEEN 1 AND 1000000000),
    package_id               text        NOT NULL REFERENCES credits.packages,
    most_per_month           integer     NOT NULL CHECK (most_per_month BETWEEN 1 AND 100),
    enabled                  boolean     NOT NULL DEFAULT true,
    stripe_payment_method_id text        NOT NULL CHECK (length(stripe_payment_method_id) BETWEEN 1 AND 255),
    livemode                 boolean     NOT NULL,
    purchase_id              uuid,
    disabled_reason          text        CHECK (length(disabled_reason) <= 200),
    money_back               text[]      NOT NULL DEFAULT '{}',
    created_at               timestamptz NOT NULL DEFAULT now(),
    updated_at               timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE credits.topups IS 'Who wants to have a package bought when their credits fall below a number.';
COMMENT ON COLUMN credits.topups.purchase_id IS 'The purchase that is under way, of which there is one at most.';
COMMENT ON COLUMN credits.topups.money_back IS
    'Facts of credits.money_back that were known when it was switched on: one that is new switches it off.';

-- ------------------------------------------------------------------------------------------------- who may do what

GRANT USAGE ON SCHEMA mana, credits TO mana_payments;
GRANT SELECT ON mana.migrations TO mana_payments;
GRANT SELECT ON credits.packages, credits.package_prices, credits.purchases, credits.customers TO mana_payments;
GRANT SELECT (account_id, idempotency_key) ON credits.transactions, credits.keys TO mana_payments;
GRANT SELECT (account_id, idempotency_key, code, message, created_at) ON credits.refusals TO mana_payments;
GRANT SELECT (account_id, balance, free_credits_remaining, frozen) ON credits.balances TO mana_payments;
GRANT SELECT ON credits.suspensions TO mana_payments;
GRANT SELECT, INSERT, UPDATE (account_id, keys, outcome, reason, tries, due_at, done_at, body)
    ON credits.stripe_events TO mana_payments;
GRANT SELECT, UPDATE (enabled, purchase_id, disabled_reason, updated_at) ON credits.topups TO mana_payments;
GRANT INSERT (account_id, id, package_id, credits, price_euro_cents, amount, currency, status, origin, created_at)
    ON credits.purchases TO mana_payments;
CREATE POLICY payments_tops_up ON credits.purchases FOR INSERT TO mana_payments
    WITH CHECK (status = 'pending' AND origin = 'topup');

GRANT SELECT ON credits.package_prices TO mana_api, mana_readonly;
GRANT INSERT (request_hash, client_key), UPDATE (checkout_attempt) ON credits.purchases TO mana_api;
GRANT SELECT, INSERT ON credits.customers TO mana_api;
GRANT SELECT, INSERT, DELETE,
    UPDATE (below, package_id, most_per_month, enabled, stripe_payment_method_id, livemode, disabled_reason, money_back,
        updated_at)
    ON credits.topups TO mana_api;
GRANT SELECT ON credits.customers, credits.topups TO mana_readonly;

DO $policies$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['customers', 'topups', 'stripe_events']
    LOOP
        EXECUTE format('ALTER TABLE credits.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY all_rows ON credits.%I FOR SELECT TO mana_readonly USING (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['customers', 'topups']
    LOOP
        EXECUTE format(
            'CREATE POLICY own ON credits.%I TO mana_api '
            'USING (account_id = nullif(current_setting(''app.user_id'', true), '''')::uuid)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['purchases', 'customers', 'transactions', 'keys', 'refusals', 'balances', 'suspensions']
    LOOP
        EXECUTE format('CREATE POLICY payments_reads ON credits.%I FOR SELECT TO mana_payments USING (true)', name);
    END LOOP;
END
$policies$;
CREATE POLICY payments ON credits.topups TO mana_payments USING (true);
CREATE POLICY payments ON credits.stripe_events TO mana_payments USING (true);

-- ---------------------------------------------------------------------------------------------------------- erasure

CREATE TABLE credits.forgotten_customers (
    stripe_customer_id text        NOT NULL PRIMARY KEY CHECK (length(stripe_customer_id) BETWEEN 1 AND 255),
    livemode           boolean     NOT NULL,
    forgotten_at       timestamptz NOT NULL DEFAULT now(),
    tries              integer     NOT NULL DEFAULT 0 CHECK (tries >= 0),
    due_at             timestamptz NOT NULL DEFAULT now() + interval '15 seconds'
);
COMMENT ON TABLE credits.forgotten_customers IS
    'Customers of users who are gone, until they are deleted at Stripe. Whose they were is known to nobody.';
COMMENT ON COLUMN credits.forgotten_customers.due_at IS
    'At first later than a request of the user''s that was under way can still reach Stripe.';
CREATE INDEX forgotten_customers_due ON credits.forgotten_customers (livemode, due_at);

-- A user who is gone is topped up no more, and we forget who they are at Stripe once Stripe has forgotten them.
-- Whoever locks several of these takes the user's row first, then that of topups, then those of payments: else two would
-- wait for each other.
CREATE FUNCTION credits.forget_payer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM credits.topups WHERE account_id = NEW.user_id;
    DELETE FROM credits.topup_payments WHERE account_id = NEW.user_id;
    DELETE FROM credits.topup_stops WHERE account_id = NEW.user_id;
    WITH gone AS (
        DELETE FROM credits.customers WHERE account_id = NEW.user_id RETURNING stripe_customer_id, livemode
    )
    INSERT INTO credits.forgotten_customers (stripe_customer_id, livemode)
    SELECT stripe_customer_id, livemode FROM gone ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER erasures_forget_payer AFTER INSERT ON auth.erasures
FOR EACH ROW EXECUTE FUNCTION credits.forget_payer();

-- ---------------------------------------------------------------------------------------------- packages, declared

-- As declared, in whole; one that was retired is back. new_prices: [{"currency", "amount", "stripe_price_id"}].
CREATE FUNCTION credits.put_package(
    wanted_id text, new_name text, new_description text, new_credits bigint, new_price bigint, new_stripe_price text,
    new_order integer, new_prices json
) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO credits.packages (id, name, description, credits, price_euro_cents, stripe_price_id, sort_order)
    VALUES (wanted_id, new_name, new_description, new_credits, new_price, new_stripe_price, new_order)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description,
        credits = excluded.credits, price_euro_cents = excluded.price_euro_cents,
        stripe_price_id = excluded.stripe_price_id, sort_order = excluded.sort_order, active = true;
    DELETE FROM credits.package_prices WHERE package_id = wanted_id;
    INSERT INTO credits.package_prices (package_id, currency, amount, stripe_price_id)
    SELECT wanted_id, prices.currency, prices.amount, prices.stripe_price_id
    FROM json_to_recordset(new_prices) AS prices (currency text, amount bigint, stripe_price_id text);
END;
REVOKE ALL ON FUNCTION credits.put_package(text, text, text, bigint, bigint, text, integer, json) FROM PUBLIC;

-- Before each change: they go one after the other. Who reads or buys packages does not wait.
CREATE FUNCTION auth.admin_lock_packages() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.require_admin();
    LOCK TABLE credits.packages IN SHARE ROW EXCLUSIVE MODE;
    PERFORM auth.require_admin();
END $$;
CREATE FUNCTION auth.admin_put_package(
    wanted_id text, new_name text, new_description text, new_credits bigint, new_price bigint, new_stripe_price text,
    new_order integer, new_prices json
) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.admin_lock_packages();
    PERFORM credits.put_package(
        wanted_id, new_name, new_description, new_credits, new_price, new_stripe_price, new_order, new_prices);
END $$;
-- Never deleted: what was bought refers to it.
CREATE FUNCTION auth.admin_retire_package(wanted_id text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.admin_lock_packages();
    UPDATE credits.packages SET active = false WHERE id = wanted_id;
END $$;
REVOKE ALL ON FUNCTION auth.admin_lock_packages(), auth.admin_retire_package(text),
    auth.admin_put_package(text, text, text, bigint, bigint, text, integer, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.admin_lock_packages(), auth.admin_retire_package(text),
    auth.admin_put_package(text, text, text, bigint, bigint, text, integer, json) TO mana_api;

-- --------------------------------------------------------------------------------------------------- payments worker

-- Which bodies are to be forgotten, the oldest first.
CREATE INDEX stripe_events_with_body ON credits.stripe_events (done_at) WHERE body IS NOT NULL AND done_at IS NOT NULL;

-- ----------------------------------------------------------------------------------------------- top-ups, paid for

-- What has become known of purchases whose money goes back to the payer, or may. A word that only Stripe takes back.
CREATE VIEW credits.money_back WITH (security_invoker = true) AS
SELECT purchases.account_id, purchases.id AS purchase_id, 'refund' AS reason, known.key || known.value::text AS fact
FROM credits.purchases CROSS JOIN jsonb_each(purchases.refunds) AS known
WHERE purchases.refunds <> '{}' AND known.value ->> 1 <> 'failed'
UNION ALL
SELECT purchases.account_id, purchases.id, 'dispute', known.key || known.value::text
FROM credits.purchases CROSS JOIN jsonb_each(purchases.disputes) AS known
WHERE purchases.disputes <> '{}' AND known.value ->> 1 <> 'won';
CREATE INDEX purchases_refunded ON credits.purchases (account_id) WHERE refunds <> '{}';
CREATE INDEX purchases_disputed ON credits.purchases (account_id) WHERE disputes <> '{}';
GRANT SELECT ON credits.money_back TO mana_api, mana_payments, mana_readonly;

-- Whose credits are below their limit, of those who may be charged now, and for what. Months are UTC's. Who has got money
-- back since is never among them, for these credits are low by our own hand.
CREATE VIEW credits.topups_due WITH (security_invoker = true) AS
SELECT topups.account_id, topups.livemode, customers.stripe_customer_id, topups.stripe_payment_method_id,
       packages.id AS package_id, packages.credits, packages.price_euro_cents
FROM credits.topups
JOIN credits.balances ON balances.account_id = topups.account_id
JOIN credits.packages ON packages.id = topups.package_id AND packages.active
JOIN credits.customers ON customers.account_id = topups.account_id AND customers.livemode = topups.livemode
WHERE topups.enabled AND topups.purchase_id IS NULL AND NOT balances.frozen
  AND balances.balance + balances.free_credits_remaining < topups.below
  AND NOT EXISTS (SELECT FROM credits.suspensions WHERE suspensions.account_id = topups.account_id)
  AND topups.most_per_month > (
      SELECT count(*) FROM credits.purchases
      WHERE purchases.account_id = topups.account_id AND purchases.origin = 'topup' AND purchases.status <> 'failed'
        AND purchases.created_at >= date_trunc('month', now(), 'UTC'))
  AND NOT EXISTS (
      SELECT FROM credits.money_back AS known
      WHERE known.account_id = topups.account_id AND known.fact <> ALL (topups.money_back));
CREATE INDEX topups_ready ON credits.topups (account_id) WHERE enabled AND purchase_id IS NULL;
CREATE INDEX topups_enabled ON credits.topups (account_id) WHERE enabled;

-- One worker at a time looks for those who are due.
CREATE TABLE credits.topup_rounds (
    livemode boolean     NOT NULL PRIMARY KEY,
    due_at   timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);
INSERT INTO credits.topup_rounds (livemode) VALUES (false), (true);
COMMENT ON COLUMN credits.topup_rounds.due_at IS 'When whichever worker asks first may begin; later while one is at it.';
COMMENT ON COLUMN credits.topup_rounds.ended_at IS 'When the last that went well was over.';

CREATE TABLE credits.topup_stops (
    id          uuid        NOT NULL PRIMARY KEY,
    account_id  uuid        NOT NULL,
    purchase_id uuid        NOT NULL,
    package_id  text        NOT NULL,
    reason      text        NOT NULL CHECK (reason IN ('refund', 'dispute')),
    stopped_at  timestamptz NOT NULL DEFAULT now(),
    tries       integer     NOT NULL DEFAULT 0 CHECK (tries >= 0),
    due_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE credits.topup_stops IS
    'Top-ups that were switched off because money went back, until subscribers have been told.';
COMMENT ON COLUMN credits.topup_stops.purchase_id IS 'Whose money went back, or is disputed.';
CREATE INDEX topup_stops_due ON credits.topup_stops (due_at);
CREATE INDEX topup_stops_of_account ON credits.topup_stops (account_id);

CREATE TABLE credits.topup_payments (
    purchase_id              uuid        NOT NULL PRIMARY KEY,
    account_id               uuid        NOT NULL,
    livemode                 boolean     NOT NULL,
    stripe_customer_id       text        NOT NULL CHECK (length(stripe_customer_id) BETWEEN 1 AND 255),
    stripe_payment_method_id text        NOT NULL CHECK (length(stripe_payment_method_id) BETWEEN 1 AND 255),
    state                    text        NOT NULL DEFAULT 'asking'
        CHECK (state IN ('asking', 'waiting', 'stuck', 'failed', 'over')),
    stripe_payment_intent_id text        CHECK (length(stripe_payment_intent_id) BETWEEN 1 AND 255),
    reason                   text        CHECK (length(reason) BETWEEN 1 AND 200),
    failed_at                timestamptz,
    told_at                  timestamptz,
    tries                    integer     NOT NULL DEFAULT 0 CHECK (tries >= 0),
    due_at                   timestamptz NOT NULL DEFAULT now(),
    begun_at                 timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT topup_payments_failed CHECK ((failed_at IS NULL) = (reason IS NULL)),
    CONSTRAINT topup_payments_told CHECK (told_at IS NULL OR failed_at IS NOT NULL)
);
COMMENT ON TABLE credits.topup_payments IS
    'Payments off-session: what Stripe is asked for, always with the same words, and what came of it.';
COMMENT ON COLUMN credits.topup_payments.state IS
    'asking: Stripe''s answer is not known; waiting: its event will tell; stuck: somebody has to look; failed: to be told '
    'to the ledger and to subscribers; over.';
COMMENT ON COLUMN credits.topup_payments.reason IS 'Why it failed: a code of Stripe''s.';
COMMENT ON COLUMN credits.topup_payments.told_at IS 'When the broker had confirmed the event of the failure.';
CREATE INDEX topup_payments_open ON credits.topup_payments (state, due_at) WHERE state <> 'over';
CREATE INDEX topup_payments_of_account ON credits.topup_payments (account_id);

-- One top-up of this user, where it is still due; false where it is not, and where another worker is at it.
CREATE FUNCTION credits.begin_topup(account uuid, new_purchase uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    due credits.topups_due;
BEGIN
    PERFORM FROM credits.topups WHERE account_id = account FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- A statement of its own: what was committed before the lock was given is seen, above all the last top-up's credits.
    SELECT * INTO due FROM credits.topups_due WHERE topups_due.account_id = account;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO credits.purchases
        (account_id, id, package_id, credits, price_euro_cents, amount, currency, status, origin, created_at)
    VALUES (account, new_purchase, due.package_id, due.credits, due.price_euro_cents, due.price_euro_cents, 'eur',
            'pending', 'topup', now());
    INSERT INTO credits.topup_payments
        (purchase_id, account_id, livemode, stripe_customer_id, stripe_payment_method_id)
    VALUES (new_purchase, account, due.livemode, due.stripe_customer_id, due.stripe_payment_method_id);
    UPDATE credits.topups SET purchase_id = new_purchase WHERE account_id = account;
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION credits.begin_topup(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION credits.begin_topup(uuid, uuid) TO mana_payments;

-- Before rows of the user's top-up are locked for what a mail tells of: their deletion begins with the user's row.
CREATE FUNCTION auth.hold_payer(account uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM FROM auth.users WHERE id = account FOR KEY SHARE;
END $$;
-- The mail about a top-up that has failed (the purchase), or was stopped (the stop), to its user. It has the same id, so
-- that ordered once more it is the same one.
CREATE FUNCTION auth.order_topup_mail(failed_or_stopped uuid) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO auth.mails (id, kind, user_id, credential_epoch)
    SELECT failed_or_stopped, told.kind, users.id, users.credential_epoch
    FROM (
        SELECT 'topup_failed' AS kind, account_id FROM credits.topup_payments
        WHERE purchase_id = failed_or_stopped AND state = 'failed'
        UNION ALL
        SELECT 'topup_stopped', account_id FROM credits.topup_stops WHERE id = failed_or_stopped
    ) AS told
    JOIN auth.users ON users.id = told.account_id
    ON CONFLICT (id) DO NOTHING;
END;
REVOKE ALL ON FUNCTION auth.hold_payer(uuid), auth.order_topup_mail(uuid) FROM PUBLIC;
GRANT USAGE ON SCHEMA auth TO mana_payments;
GRANT EXECUTE ON FUNCTION auth.hold_payer(uuid), auth.order_topup_mail(uuid) TO mana_payments;

-- A payment has failed: for the first that says so, top-up is off and the user's mail is ordered, all at once.
CREATE FUNCTION credits.fail_topup(failed_purchase uuid, intent text, why text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    account CONSTANT uuid := (SELECT account_id FROM credits.topup_payments WHERE purchase_id = failed_purchase);
BEGIN
    PERFORM auth.hold_payer(account);
    PERFORM FROM credits.topups WHERE account_id = account FOR UPDATE;
    UPDATE credits.topup_payments
    SET state = 'failed', stripe_payment_intent_id = coalesce(intent, stripe_payment_intent_id), reason = why,
        failed_at = now(), due_at = now(), tries = 0
    WHERE purchase_id = failed_purchase AND state IN ('asking', 'waiting', 'stuck');
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE credits.topups SET enabled = false, disabled_reason = why, updated_at = now()
    WHERE account_id = account AND purchase_id = failed_purchase;
    PERFORM auth.order_topup_mail(failed_purchase);
    RETURN true;
END $$;

-- Off, where money has gone back, or may, since it was switched on; false where that is not so, or was done before.
CREATE FUNCTION credits.stop_topup(account uuid, new_stop uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    cause credits.money_back;
BEGIN
    PERFORM auth.hold_payer(account);
    PERFORM FROM credits.topups WHERE account_id = account FOR UPDATE;
    SELECT known.* INTO cause
    FROM credits.topups JOIN credits.money_back AS known ON known.account_id = topups.account_id
    WHERE topups.account_id = account AND topups.enabled AND known.fact <> ALL (topups.money_back)
    ORDER BY known.reason, known.purchase_id DESC
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO credits.topup_stops (id, account_id, purchase_id, package_id, reason)
    SELECT new_stop, account_id, cause.purchase_id, package_id, cause.reason
    FROM credits.topups WHERE account_id = account;
    UPDATE credits.topups SET enabled = false, disabled_reason = cause.reason, updated_at = now()
    WHERE account_id = account;
    PERFORM auth.order_topup_mail(new_stop);
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION credits.fail_topup(uuid, text, text), credits.stop_topup(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION credits.fail_topup(uuid, text, text), credits.stop_topup(uuid, uuid) TO mana_payments;

GRANT SELECT ON credits.topups_due TO mana_payments, mana_readonly;
GRANT SELECT, INSERT (purchase_id, account_id, livemode, stripe_customer_id, stripe_payment_method_id),
    UPDATE (state, stripe_payment_intent_id, reason, failed_at, told_at, tries, due_at)
    ON credits.topup_payments TO mana_payments;
GRANT SELECT ON credits.topup_payments TO mana_api, mana_readonly;
GRANT SELECT, UPDATE (due_at, ended_at) ON credits.topup_rounds TO mana_payments;
GRANT SELECT, INSERT, UPDATE (tries, due_at), DELETE ON credits.topup_stops TO mana_payments;
GRANT SELECT ON credits.topup_rounds, credits.topup_stops TO mana_readonly;
ALTER TABLE credits.topup_payments ENABLE ROW LEVEL SECURITY;
ALTER TABLE credits.topup_stops ENABLE ROW LEVEL SECURITY;
CREATE POLICY payments ON credits.topup_stops TO mana_payments USING (true);
CREATE POLICY all_rows ON credits.topup_stops FOR SELECT TO mana_readonly USING (true);
CREATE POLICY payments ON credits.topup_payments TO mana_payments USING (true);
CREATE POLICY all_rows ON credits.topup_payments FOR SELECT TO mana_readonly USING (true);
CREATE POLICY own ON credits.topup_payments FOR SELECT TO mana_api
    USING (account_id = nullif(current_setting('app.user_id', true), '')::uuid);

-- ------------------------------------------------------------------------------------------ the front and Stripe

-- A customer that Stripe does not know any more is made anew.
GRANT UPDATE (stripe_customer_id) ON credits.customers TO mana_api;

-- Administrators name a purchase by its id alone.
CREATE INDEX purchases_by_id ON credits.purchases (id);
CREATE FUNCTION auth.admin_get_purchase(target uuid) RETURNS SETOF credits.purchases
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    PERFORM auth.require_admin();
    RETURN QUERY SELECT purchases.* FROM credits.purchases WHERE purchases.id = target;
END $$;
REVOKE ALL ON FUNCTION auth.admin_get_purchase(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.admin_get_purchase(uuid) TO mana_api;

-- Nothing is sold but packages, at their own price.
ALTER POLICY api_begins ON credits.purchases
    WITH CHECK (
        account_id = nullif(current_setting('app.user_id', true), '')::uuid AND status = 'pending'
        AND origin = 'checkout' AND EXISTS (
            SELECT FROM credits.packages LEFT JOIN credits.package_prices AS prices
                ON prices.package_id = packages.id AND prices.currency = purchases.currency
            WHERE packages.id = purchases.package_id AND packages.active AND packages.credits = purchases.credits
              AND packages.price_euro_cents = purchases.price_euro_cents
              AND CASE purchases.currency WHEN 'eur' THEN packages.price_euro_cents ELSE prices.amount END
                  = purchases.amount)
    );

-- ---------------------------------------------------------------------------------------------------- reconciliation

CREATE TABLE credits.reconciliations (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asked_by    text        NOT NULL CHECK (asked_by IN ('timer', 'operator')),
    livemode    boolean     NOT NULL,
    since       timestamptz NOT NULL,
    begun_at    timestamptz NOT NULL DEFAULT now(),
    ended_at    timestamptz,
    events      bigint,
    missing     bigint,
    payments    bigint,
    differences bigint,
    fed         bigint,
    unmended    bigint,
    problem     text        CHECK (length(problem) <= 500)
);
COMMENT ON TABLE credits.reconciliations IS 'Each comparison with Stripe: how much was looked at, and what was found.';
COMMENT ON COLUMN credits.reconciliations.missing IS 'Events that never arrived; they were fed.';
COMMENT ON COLUMN credits.reconciliations.unmended IS 'What no event mends: somebody has to look.';
COMMENT ON COLUMN credits.reconciliations.problem IS 'Why it could not go on to its end.';
CREATE INDEX reconciliations_by_asker ON credits.reconciliations (asked_by, livemode, begun_at);

-- Which payments Stripe must know, and which of them may have moved on without us.
CREATE INDEX purchases_completed ON credits.purchases (completed_at, id) WHERE paid;
CREATE INDEX purchases_unsettled ON credits.purchases (id) WHERE paid AND (
    jsonb_path_exists(refunds, '$.*[1] ? (@ == "pending")') OR jsonb_path_exists(disputes, '$.*[1] ? (@ == "open")'));

GRANT SELECT, INSERT (asked_by, livemode, since),
    UPDATE (ended_at, events, missing, payments, differences, fed, unmended, problem)
    ON credits.reconciliations TO mana_payments;
GRANT SELECT ON credits.reconciliations TO mana_readonly;
ALTER TABLE credits.reconciliations ENABLE ROW LEVEL SECURITY;
CREATE POLICY payments ON credits.reconciliations TO mana_payments USING (true);
CREATE POLICY all_rows ON credits.reconciliations FOR SELECT TO mana_readonly USING (true);

-- ------------------------------------------------------------------------------------------- users who have left

CREATE TABLE credits.late_payments (
    purchase_id uuid        NOT NULL PRIMARY KEY,
    found_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE credits.late_payments IS
    'Purchases that were paid after their users were deleted: somebody was told to refund them at Stripe.';

CREATE INDEX suspensions_deleted ON credits.suspensions (account_id) WHERE reason = 'deleted';
CREATE INDEX stripe_events_with_body_of_account ON credits.stripe_events (account_id)
    WHERE body IS NOT NULL AND done_at IS NOT NULL;
CREATE INDEX purchases_pending ON credits.purchases (created_at) WHERE status = 'pending';

GRANT SELECT, UPDATE (tries, due_at), DELETE ON credits.forgotten_customers TO mana_payments;
GRANT SELECT, INSERT (purchase_id) ON credits.late_payments TO mana_payments;
-- A customer that was made while its user left.
GRANT INSERT (stripe_customer_id, livemode) ON credits.forgotten_customers TO mana_api;
GRANT SELECT ON credits.forgotten_customers, credits.late_payments TO mana_readonly;
ALTER TABLE credits.forgotten_customers ENABLE ROW LEVEL SECURITY;
ALTER TABLE credits.late_payments ENABLE ROW LEVEL SECURITY;
CREATE POLICY payments ON credits.forgotten_customers TO mana_payments USING (true);
CREATE POLICY api_forgets ON credits.forgotten_customers FOR INSERT TO mana_api WITH CHECK (true);
CREATE POLICY all_rows ON credits.forgotten_customers FOR SELECT TO mana_readonly USING (true);
CREATE POLICY payments ON credits.late_payments TO mana_payments USING (true);
CREATE POLICY all_rows ON credits.late_payments FOR SELECT TO mana_readonly USING (true);
