-- phase: expand
-- The signup bonus may wait for the first proof of an address. The kinds of hashes are counted in a thousand pages of
-- the passwords, chosen by chance, where there are more: so each front may ask hourly, however many users there are.

ALTER TABLE auth.users ADD COLUMN bonus_at_proof boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN auth.users.bonus_at_proof IS
    'the account was opened without the signup bonus, which is granted when an address is first proven';
GRANT UPDATE (bonus_at_proof) ON auth.users TO mana_api;

CREATE OR REPLACE FUNCTION auth.count_password_kinds() RETURNS TABLE (kind text, users bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    pages CONSTANT float8 := greatest(1, pg_relation_size('auth.passwords') / current_setting('block_size')::integer);
BEGIN
    RETURN QUERY
    SELECT CASE WHEN hash LIKE '$2%' THEN left(hash, 6) ELSE regexp_replace(hash, '\$[^$]*\$[^$]*$', '') END, count(*)
    FROM auth.passwords TABLESAMPLE SYSTEM (least(100, 100 * 1000 / pages)::real)
    GROUP BY 1;
END $$;
