"""A file of packages applied to a database, and what stays of packages that it leaves out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

import asyncpg
import msgspec
import pytest

from api.credits.packages.differing import Change
from api.credits.packages.store import list_packages
from api.credits.views import Package
from api.database import Database as Pool
from api.operators.packages.__main__ import main
from api.operators.packages.applying import apply
from api.operators.packages.reading import read
from ops.place import CHECKOUT
from tests.integration.ledger.buying import begin, paid
from tests.integration.ledger.owner import Owner
from tests.integration.ledger.server import Database

DEFAULTS = read((CHECKOUT / "examples" / "packages.yaml").read_text(encoding="utf-8"))
OTHERS = read("""
- id: credits-500
  name: Début
  description: 500 credits
  credits: 500
  priceEuroCents: 450
  stripePriceId: price_1
  otherPrices:
    - {currency: usd, amount: 500}
    - {currency: jpy, amount: 750, stripePriceId: price_2}
- id: tiny
  name: Tiny
  description: 50 credits
  credits: 50
  priceEuroCents: 60
""")


@pytest.fixture
async def pool(database: Database) -> AsyncGenerator[Pool]:
    """The database as the operator's program connects to it."""
    async with Pool.connected(database.url("mana_owner"), 1, "test") as connected:
        yield connected


async def _kept(pool: Pool, *, retired: bool = False) -> list[Package]:
    async with pool.transaction() as connection:
        return await list_packages(connection, retired=retired)


def _kinds(changes: list[Change]) -> dict[str, str]:
    return {change.id: change.kind for change in changes}


async def test_the_example_is_what_a_fresh_database_has(pool: Pool) -> None:
    assert await _kept(pool, retired=True) == DEFAULTS
    assert {change.kind for change in await apply(pool, DEFAULTS)} == {"unchanged"}
    assert len(DEFAULTS) == 5
    rates = [package.price_euro_cents / package.credits for package in DEFAULTS]
    assert rates[0] == 1
    assert rates == sorted(rates, reverse=True)


async def test_what_is_declared_is_what_is_kept(pool: Pool, by_hand: asyncpg.Connection) -> None:
    planned = await apply(pool, OTHERS, dry_run=True)
    assert await _kept(pool, retired=True) == DEFAULTS
    assert await apply(pool, OTHERS) == planned
    assert _kinds(planned) == {
        "credits-500": "changed",
        "tiny": "new",
        **{f"credits-{size}": "retired" for size in (1000, 2500, 5000, 10000)},
    }
    assert await _kept(pool) == OTHERS
    events = await by_hand.fetch("SELECT type, details, actor_id FROM auth.security_events ORDER BY id")
    assert len(events) == 6
    assert json.loads(events[0]["details"]) == {
        "by": "operator",
        "package": "credits-500",
        "change": "changed",
        "old": {"name": "Starter", "priceEuroCents": 500},
        "new": {
            "name": "Début",
            "priceEuroCents": 450,
            "stripePriceId": "price_1",
            "otherPrices.usd": 500,
            "otherPrices.jpy": 750,
            "otherPrices.jpy.stripePriceId": "price_2",
        },
    }
    assert [event["type"] for event in events] == ["package.declared"] * 2 + ["package.retired"] * 4

    assert set(_kinds(await apply(pool, OTHERS)).values()) == {"unchanged"}
    assert await by_hand.fetchval("SELECT count(*) FROM auth.security_events") == 6

    back = _kinds(await apply(pool, DEFAULTS))
    assert (back["credits-500"], back["credits-1000"], back["tiny"]) == ("changed", "brought back", "retired")
    assert await _kept(pool) == DEFAULTS


async def test_the_program_lists_what_is_kept(
    pool: Pool, database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await apply(pool, OTHERS)
    monkeypatch.setenv("DATABASE_URL", database.url("mana_owner"))
    monkeypatch.setenv("MANA_AMQP_URL", "amqp://127.0.0.1/")
    assert await asyncio.to_thread(main, ["list"]) == 0
    listed = capsys.readouterr().out
    assert read(listed) == OTHERS
    assert "# retired: credits-1000: Basic, 1000 credits for 1000 euro cents\n" in listed


async def test_all_or_nothing(pool: Pool, by_hand: asyncpg.Connection) -> None:
    """The last package is one that the database refuses."""
    await by_hand.execute("ALTER TABLE credits.packages ADD CONSTRAINT no_tiny CHECK (id <> 'tiny')")
    with pytest.raises(asyncpg.CheckViolationError):
        await apply(pool, OTHERS)
    assert await _kept(pool, retired=True) == DEFAULTS
    assert await by_hand.fetchval("SELECT count(*) FROM auth.security_events") == 0


async def test_a_purchase_under_way_completes_after_its_package_is_retired(
    pool: Pool, owner: Owner, by_hand: asyncpg.Connection
) -> None:
    user = await owner.open()
    purchase = await begin(by_hand, user, 500, 500)
    dearer = msgspec.structs.replace(DEFAULTS[0], credits=400, price_euro_cents=600)
    await apply(pool, [dearer, *DEFAULTS[1:]])
    await apply(pool, DEFAULTS[1:])
    await owner.do(paid(user, purchase, 500))
    row = await by_hand.fetchrow(
        "SELECT status, purchases.credits, amount, active FROM credits.purchases"
        " JOIN credits.packages ON packages.id = package_id WHERE purchases.id = $1::text::uuid",
        purchase,
    )
    assert tuple(row or ()) == ("completed", 500, 500, False)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await by_hand.execute("DELETE FROM credits.packages WHERE id = 'credits-500'")
