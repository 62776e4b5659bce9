"""Who sees and changes which rows: the front its user's, the worker what it needs, nobody a written transaction."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import asyncpg
import pytest

from ops.state import DatabaseRole
from tests.integration.ledger.owner import Owner, fresh_user, request
from tests.integration.ledger.server import Database

OF_THE_LEDGER = ["balances", "lots", "transactions", "postings", "keys", "refusals", "purchases"]
OF_USERS = [*OF_THE_LEDGER, "usage_stats", "usage_progress"]
OF_NOBODY = ["partitions", "workers", "stripe_events"]


@pytest.fixture(scope="module")
async def users(shared: Database) -> list[str]:
    """Two users with a row in each table."""
    async with Owner.of(shared) as owner:
        both = [await owner.open(), await owner.open()]
        for user in both:
            await owner.use(user, 1, "u")
            await owner.use(user, 1000, "r")
            await owner.do(request("account.freeze", user, "f", reason="x"))
    by_hand = await asyncpg.connect(shared.admin)
    await by_hand.execute(
        "INSERT INTO credits.purchases (account_id, id, package_id, credits, price_euro_cents, amount, status,"
        " created_at)"
        " SELECT account_id, gen_random_uuid(), 'credits-500', 500, 500, 500, 'pending', now() FROM credits.balances;"
        "INSERT INTO credits.usage_progress SELECT account_id, 1 FROM credits.balances;"
        "INSERT INTO credits.usage_stats SELECT account_id, now(), 9, 'chat', '', 1, 1, 0, 0 FROM credits.balances"
    )
    await by_hand.close()
    return both


@pytest.fixture(scope="module")
async def front(shared: Database) -> AsyncGenerator[asyncpg.Connection]:
    """The front's login."""
    connection = await asyncpg.connect(shared.url("mana_api"))
    yield connection
    await connection.close()


async def _owners(connection: asyncpg.Connection, table: str) -> set[str]:
    rows = await connection.fetch(f"SELECT account_id::text FROM credits.{table}")
    return {row["account_id"] for row in rows}


@pytest.mark.parametrize("table", OF_USERS)
async def test_the_front_sees_the_rows_of_the_user_it_has_set(
    users: list[str], front: asyncpg.Connection, table: str
) -> None:
    assert await _owners(front, table) == set(), "nobody set"
    async with front.transaction():
        await front.execute("SELECT set_config('app.user_id', $1, true)", users[0])
        assert await _owners(front, table) == {users[0]}
        await front.execute("SELECT set_config('app.user_id', $1, true)", fresh_user())
        assert await _owners(front, table) == set()
    assert await _owners(front, table) == set(), "the setting ended with its transaction"


@pytest.mark.parametrize("table", OF_USERS)
@pytest.mark.parametrize(
    "command", ["DELETE FROM {}", "UPDATE {} SET account_id = account_id", "INSERT INTO {} DEFAULT VALUES"]
)
async def test_the_front_writes_nothing(users: list[str], front: asyncpg.Connection, table: str, command: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await front.execute(command.format(f"credits.{table}"))


_BEGIN = (
    "INSERT INTO credits.purchases (account_id, id, package_id, credits, price_euro_cents, amount, status, created_at)"
    " VALUES ($1, gen_random_uuid(), 'credits-500', 500, 500, 500, $2, now())"
)
_LEAD = "UPDATE credits.purchases SET stripe_checkout_session_id = gen_random_uuid(), checkout_url = 'https://x'"


async def test_the_front_begins_purchases_of_its_user_and_leads_to_their_payment(
    users: list[str], front: asyncpg.Connection
) -> None:
    trial = front.transaction()
    await trial.start()
    await front.execute("SELECT set_config('app.user_id', $1, true)", users[0])
    await front.execute(_BEGIN, users[0], "pending")
    assert await front.execute(_LEAD) == "UPDATE 2", "the user's own, that of the fixture included"
    await trial.rollback()


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (_BEGIN, (1, "pending")),
        (_BEGIN, (0, "completed")),
        (_BEGIN.replace("status,", "status, paid,").replace("$2,", "$2, true,"), (0, "completed")),
        (_BEGIN.replace("status,", "status, taken,").replace("$2,", "$2, 1,"), (0, "pending")),
        (_BEGIN.replace("status,", "status, origin,").replace("$2,", "$2, 'topup',"), (0, "pending")),
        ("UPDATE credits.purchases SET status = 'completed'", ()),
        ("UPDATE credits.purchases SET credits = 1000", ()),
        ("UPDATE credits.purchases SET amount = 1", ()),
        ("UPDATE credits.purchases SET debt = 0", ()),
    ],
)
async def test_what_becomes_of_a_purchase_is_not_the_fronts_to_write(
    users: list[str], front: asyncpg.Connection, command: str, arguments: tuple[int, str] | tuple[()]
) -> None:
    named = [users[one] if isinstance(one, int) else one for one in arguments]
    trial = front.transaction()
    await trial.start()
    await front.execute("SELECT set_config('app.user_id', $1, true)", users[0])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await front.execute(command, *named)
    await trial.rollback()


@pytest.mark.parametrize("table", OF_NOBODY)
async def test_the_front_has_no_business_with_the_workers(front: asyncpg.Connection, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await front.fetch(f"SELECT FROM credits.{table}")


async def test_the_front_sees_the_packages(front: asyncpg.Connection) -> None:
    rows = await front.fetch("SELECT credits, price_euro_cents FROM credits.packages WHERE active ORDER BY sort_order")
    assert rows
    prices = [row["price_euro_cents"] / row["credits"] for row in rows]
    assert prices[0] == 1, "100 credits are 1 euro"
    assert prices == sorted(prices, reverse=True), "the larger the cheaper"


@pytest.mark.parametrize(
    ("role", "tables"),
    [
        ("mana_owner", OF_USERS),
        ("mana_readonly", OF_USERS),
        ("mana_worker", OF_THE_LEDGER),
        ("mana_usage", ["usage_stats", "usage_progress", "transactions", "balances"]),
    ],
)
async def test_who_sees_all(users: list[str], shared: Database, role: DatabaseRole, tables: list[str]) -> None:
    connection = await asyncpg.connect(shared.url(role))
    try:
        assert [await _owners(connection, table) for table in tables] == [set(users)] * len(tables)
    finally:
        await connection.close()


@pytest.mark.parametrize("table", ["transactions", "postings"])
@pytest.mark.parametrize("command", ["DELETE FROM {}", "UPDATE {} SET amount = 1", "TRUNCATE {}"])
async def test_the_worker_cannot_change_what_is_written(
    users: list[str], shared: Database, table: str, command: str
) -> None:
    connection = await asyncpg.connect(shared.url("mana_worker"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(command.format(f"credits.{table}"))
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "command",
    [
        "UPDATE credits.lots SET granted = 1",
        "UPDATE credits.balances SET account_id = gen_random_uuid()",
        "DELETE FROM credits.balances",
        "DELETE FROM credits.lots",
        "DELETE FROM credits.keys",
        "DELETE FROM credits.partitions",
        "INSERT INTO credits.partitions (partition) VALUES (99)",
        "UPDATE credits.packages SET credits = 1",
        "UPDATE credits.purchases SET credits = 1",
        "UPDATE credits.purchases SET amount = 1",
        "DELETE FROM credits.purchases",
        "INSERT INTO credits.purchases SELECT * FROM credits.purchases",
        "DELETE FROM credits.usage_stats",
        "UPDATE credits.usage_progress SET sequence = 0",
        "CREATE TABLE credits.mine ()",
        "UPDATE mana.migrations SET name = ''",
        "UPDATE mana.verifications SET broken = '{}'",
        "DELETE FROM mana.verifications",
        "INSERT INTO mana.backups (place) VALUES ('nowhere')",
    ],
)
async def test_the_worker_cannot(users: list[str], shared: Database, command: str) -> None:
    connection = await asyncpg.connect(shared.url("mana_worker"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(command)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "command",
    [
        "SELECT description FROM credits.transactions",
        "SELECT balance FROM credits.balances",
        "UPDATE credits.balances SET sequence = 0",
        "INSERT INTO credits.balances (account_id, sequence) VALUES (gen_random_uuid(), 1)",
        "DELETE FROM credits.transactions",
        "SELECT FROM credits.lots",
        "CREATE TABLE credits.mine ()",
    ],
)
async def test_who_counts_uses_cannot(users: list[str], shared: Database, command: str) -> None:
    connection = await asyncpg.connect(shared.url("mana_usage"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(command)
    finally:
        await connection.close()


@pytest.mark.parametrize("role", ["mana_relay", "mana_readonly", "mana_api"])
async def test_others_write_nothing_here(shared: Database, role: DatabaseRole) -> None:
    connection = await asyncpg.connect(shared.url(role))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("INSERT INTO credits.workers VALUES ('x', 'x', now(), now())")
    finally:
        await connection.close()


async def test_the_relay_does_not_even_see_the_ledger(shared: Database) -> None:
    connection = await asyncpg.connect(shared.url("mana_relay"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT FROM credits.packages")
    finally:
        await connection.close()
