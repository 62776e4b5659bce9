"""A process that asks for a schema of some number finds in it all that its statements name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import asyncpg
import pytest

from api.database import Database as FrontsDatabase
from api.errors import Unavailable
from api.fitness import schema
from migrations.runner import Wish, migrate
from ops.place import CHECKOUT
from tests.integration.ledger.server import Database
from workers.apps import store as apps
from workers.ledger.faults import NotDurable
from workers.ledger.store import fitness
from workers.ledger.store.session import Session
from workers.payments import store
from workers.usage import store as usage

ROOMS = {
    "api": (schema.SCHEMA_NEEDED, 20),
    "workers/ledger": (fitness.SCHEMA_NEEDED, 20),
    "workers/payments": (store.SCHEMA_NEEDED, 5),
    "workers/apps": (apps.SCHEMA_NEEDED, 2),
    "workers/usage": (usage.SCHEMA_NEEDED, 10),
}
"""Each with the number that it asks for, and with how many statements it has at least."""


def _statements(room: str) -> Iterable[Path]:
    return sorted((CHECKOUT / room).rglob("sql/*.sql"))


@pytest.mark.parametrize("room", ROOMS)
async def test_statements_find_what_they_name(empty: Database, by_hand: asyncpg.Connection, room: str) -> None:
    needed, statements = ROOMS[room]
    await migrate(empty.url("mana_owner"), Wish(up_to=needed, partitions=1), lambda _line: None)
    if room == "workers/usage":
        await by_hand.execute(f"SET search_path = {usage.SETTINGS['search_path']}")
    missing: dict[str, str] = {}
    for path in _statements(room):
        try:
            await by_hand.prepare(path.read_text())
        except asyncpg.PostgresError as error:
            missing[path.name] = str(error)
    assert missing == {}
    assert len(list(_statements(room))) > statements


@pytest.mark.parametrize(
    ("breaking", "sentence"),
    [
        ("SELECT 1", None),
        ("UPDATE mana.migrations SET number = number - 1000", "run ./mana migrate"),
        ("INSERT INTO mana.migrations VALUES (9999, 'x', 'contract', '')", "too old"),
        ("INSERT INTO mana.migrations VALUES (9999, 'x', 'expand', '')", None),
        ("DROP SCHEMA mana CASCADE", "no schema of ours yet"),
        ("REVOKE USAGE ON SCHEMA mana FROM mana_api", "no schema of ours yet"),
    ],
)
async def test_a_front_is_not_ready_with_a_schema_that_does_not_fit(
    empty: Database, by_hand: asyncpg.Connection, breaking: str, sentence: str | None
) -> None:
    await migrate(empty.url("mana_owner"), Wish(partitions=1), lambda _line: None)
    await by_hand.execute(breaking)
    async with FrontsDatabase.connected(empty.url("mana_api"), 1, "a-test") as database:
        if sentence is None:
            await schema.check(database)
            return
        with pytest.raises(Unavailable, match=sentence):
            await schema.check(database)


async def test_a_worker_asks_for_its_own_rooms_schema(empty: Database) -> None:
    await migrate(empty.url("mana_owner"), Wish(partitions=1), lambda _line: None)
    session = await Session.open(empty.url("mana_payments"), application_name="a-test")
    try:
        await fitness.check_durability(session, store.SCHEMA_NEEDED)
        with pytest.raises(NotDurable, match=r"needs 9999: run ./mana migrate"):
            await fitness.check_durability(session, 9999)
    finally:
        session.abort()
