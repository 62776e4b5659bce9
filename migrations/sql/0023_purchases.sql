-- phase: expand
-- Buying, the ledger's part. A purchase's row holds the facts of its payment, which only grow, and what was done to the
-- credits on their account; the worker changes it in the transaction of the postings. Programs of before know a purchase
-- by fewer columns, and write none.
-- Checks of large tables are NOT VALID until 0024: what is checked here is looser than before, so all rows pass.

-- --------------------------------------------------------------------------------------------------------- purchases

ALTER TABLE credits.purchases
    ADD COLUMN amount       bigint,
    ADD COLUMN origin       text    NOT NULL DEFAULT 'checkout' CHECK (origin IN ('checkout', 'topup')),
    ADD COLUMN checkout_url text    CHECK (length(checkout_url) BETWEEN 1 AND 5000),
    ADD COLUMN paid         boolean NOT NULL DEFAULT false,
    ADD COLUMN refunds      jsonb   NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(refunds) = 'object'),
    ADD COLUMN disputes     jsonb   NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(disputes) = 'object'),
    ADD COLUMN taken        bigint  NOT NULL DEFAULT 0 CHECK (taken >= 0),
    ADD COLUMN debt         bigint  NOT NULL DEFAULT 0 CHECK (debt >= 0),
    ADD COLUMN written_off  bigint  NOT NULL DEFAULT 0 CHECK (written_off >= 0),
    ADD COLUMN held         bigint  NOT NULL DEFAULT 0 CHECK (held >= 0);
UPDATE credits.purchases SET amount = price_euro_cents, paid = completed_at IS NOT NULL;
ALTER TABLE credits.purchases
    ALTER COLUMN amount SET NOT NULL,
    ADD CONSTRAINT purchases_amount CHECK (amount > 0),
    ADD CONSTRAINT purchases_currency CHECK (currency ~ '^[a-z]{3}$'),
    ADD CONSTRAINT purchases_paid CHECK (paid = (completed_at IS NOT NULL)),
    ADD CONSTRAINT purchases_payment CHECK (NOT paid OR stripe_payment_intent_id IS NOT NULL),
    ADD CONSTRAINT purchases_status_paid CHECK (paid = (status IN ('completed', 'refunded', 'disputed'))),
    ADD CONSTRAINT purchases_taken CHECK (taken <= credits),
    ADD CONSTRAINT purchases_used CHECK (debt + written_off <= taken),
    ADD CONSTRAINT purchases_held CHECK (held <= credits),
    ADD CONSTRAINT purchases_moved CHECK (paid OR taken + held = 0);
COMMENT ON COLUMN credits.purchases.amount IS 'What is paid, in the smallest unit of currency.';
COMMENT ON COLUMN credits.purchases.refunds IS 'Refunds by Stripe''s id: [amount, pending, succeeded or failed].';
COMMENT ON COLUMN credits.purchases.disputes IS 'Disputes by Stripe''s id: [amount, open, lost or won].';
COMMENT ON COLUMN credits.purchases.taken IS 'Credits that were taken back, those included that the user had used.';
COMMENT ON COLUMN credits.purchases.debt IS 'Of those taken: used before, and still owed.';
COMMENT ON COLUMN credits.purchases.written_off IS 'Of those taken: used before, and borne by the house.';
COMMENT ON COLUMN credits.purchases.held IS 'Credits that wait for the end of a dispute.';
COMMENT ON COLUMN credits.purchases.checkout_url IS 'Where the payer is led; worth nothing once the session is over.';

-- One payment pays one purchase, whoever's. Stripe's events name no account, so these find the purchase as well.
CREATE UNIQUE INDEX purchases_one_per_payment ON credits.purchases (stripe_payment_intent_id)
    WHERE stripe_payment_intent_id IS NOT NULL;
CREATE UNIQUE INDEX purchases_one_per_checkout ON credits.purchases (stripe_checkout_session_id)
    WHERE stripe_checkout_session_id IS NOT NULL;
ALTER TABLE credits.purchases DROP CONSTRAINT purchases_account_id_stripe_checkout_session_id_key;
CREATE INDEX purchases_in_debt ON credits.purchases (account_id) WHERE debt > 0;

-- The changed part of a purchase, as a parameter (see 0003).
CREATE TYPE credits.purchase_row AS (
    account_id                 uuid,
    id                         uuid,
    status                     text,
    stripe_payment_intent_id   text,
    stripe_checkout_session_id text,
    completed_at               timestamptz,
    refunds                    text,
    disputes                   text,
    taken                      bigint,
    debt                       bigint,
    written_off                bigint,
    held                       bigint
);

-- ----------------------------------------------------------------------------------------------------------- ledger

-- Beside the user and the house there is what the user owes. Between accounts other than the user's go credits of a
-- purchase that were used or held when they were taken.
ALTER TABLE credits.postings
    DROP CONSTRAINT postings_sides,
    ADD CONSTRAINT postings_sides CHECK (
        (source = account_id::text AND (destination LIKE 'system:%' OR destination = 'debt:' || account_id::text))
        OR (destination = account_id::text AND source LIKE 'system:%')
        OR (source = 'system:stripe'
            AND destination IN ('system:disputed', 'system:written_off', 'debt:' || account_id::text))
        OR (destination = 'system:stripe'
            AND source IN ('system:disputed', 'system:written_off', 'debt:' || account_id::text))
    ) NOT VALID;

-- What is taken from a purchase may all be used already, and what is given back may all be owed: then it is 0.
ALTER TABLE credits.transactions
    DROP CONSTRAINT transactions_sign,
    ADD CONSTRAINT transactions_sign CHECK (
        CASE type
            WHEN 'usage' THEN amount < 0
            WHEN 'bonus' THEN amount > 0
            WHEN 'refund' THEN amount > 0
            WHEN 'purchase' THEN amount > 0
            WHEN 'expiry' THEN amount < 0
            WHEN 'clawback' THEN true
            WHEN 'adjustment' THEN amount <> 0
            ELSE false
        END
    ) NOT VALID,
    ADD CONSTRAINT transactions_clawback_of_a_purchase CHECK (type <> 'clawback' OR refers_to IS NOT NULL) NOT VALID;

-- ------------------------------------------------------------------------------------------------- who may do what

-- The front begins a purchase, and leads to its payment; what becomes of it only the ledger writes.
GRANT INSERT (account_id, id, package_id, credits, price_euro_cents, amount, currency, status, origin,
        stripe_checkout_session_id, checkout_url, created_at),
    UPDATE (stripe_checkout_session_id, checkout_url)
    ON credits.purchases TO mana_api;
CREATE POLICY api_begins ON credits.purchases FOR INSERT TO mana_api
    WITH CHECK (
        account_id = nullif(current_setting('app.user_id', true), '')::uuid AND status = 'pending'
        AND origin = 'checkout'
    );
CREATE POLICY api_leads ON credits.purchases FOR UPDATE TO mana_api
    USING (account_id = nullif(current_setting('app.user_id', true), '')::uuid AND status = 'pending');

GRANT SELECT,
    UPDATE (status, stripe_payment_intent_id, stripe_checkout_session_id, completed_at, paid, refunds, disputes, taken,
        debt, written_off, held)
    ON credits.purchases TO mana_worker;
CREATE POLICY worker_reads ON credits.purchases FOR SELECT TO mana_worker USING (true);
CREATE POLICY worker_changes ON credits.purchases FOR UPDATE TO mana_worker USING (true);

-- ---------------------------------------------------------------------------------------------------------- erasure

-- As in 0022, and the addresses of checkouts go too. Purchases themselves stay, as books do: they tell nothing of who
-- the user was, and Stripe's ids lead to a person only at Stripe.
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
    UPDATE credits.purchases SET checkout_url = NULL
    WHERE account_id = gone.user_id AND id IN (
        SELECT id FROM credits.purchases
        WHERE account_id = gone.user_id AND checkout_url IS NOT NULL LIMIT most);
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
