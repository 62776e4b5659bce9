"""Migrations 0023 and 0024 on a database in use: purchases of before have a price, and the ledger is proven anew."""

from __future__ import annotations

import asyncpg

from migrations.runner import Wish, migrate
from tests.integration.ledger.server import Database

_BEFORE = """
INSERT INTO credits.purchases (account_id, id, package_id, credits, price_euro_cents, status,
    stripe_checkout_session_id, stripe_payment_intent_id, created_at, completed_at)
VALUES (gen_random_uuid(), gen_random_uuid(), 'credits-500', 500, 450, 'pending', 'cs_1', NULL, now(), NULL),
    (gen_random_uuid(), gen_random_uuid(), 'credits-500', 500, 451, 'completed', 'cs_2', 'pi_2', now(), now());
INSERT INTO credits.postings (partition, position, number, account_id, source, destination, lot_id, amount)
SELECT 0, 1, 1, id, id::text, 'system:revenue', id, 1 FROM gen_random_uuid() AS id;
"""


async def test_a_database_in_use(empty: Database, by_hand: asyncpg.Connection) -> None:
    owner = empty.url("mana_owner")
    await migrate(owner, Wish(up_to=22, partitions=1), lambda _line: None)
    await by_hand.execute(_BEFORE)
    await migrate(owner, Wish(up_to=23), lambda _line: None)
    rows = await by_hand.fetch("SELECT amount, paid, taken, debt, refunds FROM credits.purchases ORDER BY amount")
    assert [tuple(row) for row in rows] == [(450, False, 0, 0, "{}"), (451, True, 0, 0, "{}")]
    unproven = "SELECT count(*) FROM pg_constraint WHERE NOT convalidated AND connamespace = 'credits'::regnamespace"
    assert await by_hand.fetchval(unproven) == 3, "large tables are not read under the lock"
    await migrate(owner, Wish(up_to=24), lambda _line: None)
    assert await by_hand.fetchval(unproven) == 0
