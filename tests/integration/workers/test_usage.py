"""Statistics of use: by the stream, by the ledger, and by both, always the same."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import aio_pika
import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from contracts.topology import EVENTS_LOG, EVENTS_LOG_ARGUMENTS, USAGE_LOGIN
from ops.instance import Instance
from tests.e2e.client import Client
from tests.integration.workers.running import Running, until
from tests.integration.workers.usage import (
    Account,
    Books,
    counting,
    mixed,
    rebuild,
    rows_of,
    some_history,
)
from tests.unit.workers.test_usage_reading import MODELS
from workers.ledger.audit.looking import audit
from workers.usage import worker as usage_worker
from workers.usage.meters import UsageMeters
from workers.usage.rebuilding import replacing
from workers.usage.settings import UsageSettings
from workers.usage.worker import UsageWorker


@pytest.fixture
async def books(servers: Instance, owner: asyncpg.Connection) -> AsyncGenerator[Books]:
    """The ledger, without what this module's tests write into it by hand."""
    async with await aio_pika.connect(servers.addresses.amqp) as connection:
        channel = await connection.channel()
        made = Books(owner, await channel.get_exchange("credits.events", ensure=False))
        yield made
        await made.forget()


async def test_the_ledgers_models_are_the_events(owner: asyncpg.Connection) -> None:
    found = [await owner.fetchval("SELECT credits.model_of($1::json)", metadata) for metadata, _ in MODELS]
    assert found == [model for _, model in MODELS]


async def test_what_the_ledger_does_is_counted(
    servers: Instance, logs: Path, worker: Running, client: Client, owner: asyncpg.Connection
) -> None:
    """Before the process is there, by the ledger; and behind that by the events."""
    user = await client.open_user()
    before = (await client.use(user, 3, metadata={"model": "small"}))["transaction"]
    async with counting(servers, logs) as process:
        await client.use(user, 4, metadata={"model": "small"})
        await client.use(user, 5, appId="notes")
        await client.call("credits.refund", user, transactionId=before["id"], amount=1, idempotencyKey="r")

        async def known() -> bool:
            return await owner.fetchval("SELECT sequence FROM credits.usage_progress WHERE account_id = $1", user) == 5

        await until(known, "all is counted", process.log)
        found = await owner.fetch(
            "SELECT app_id, model, sum(uses), sum(credits), sum(refunds), sum(refunded) FROM credits.usage_stats"
            " WHERE account_id = $1 GROUP BY 1, 2 ORDER BY 1",
            user,
        )
        assert [tuple(row) for row in found] == [("chat", "small", 2, 7, 1, 1), ("notes", "", 1, 5, 0, 0)]
        assert await process.meter("mana_usage_counting") == 1
        assert 0 <= await process.meter("mana_usage_lag_seconds") < 30
    findings = await audit(servers.addresses.database_as("mana_readonly"))
    (statistics,) = [one for one in findings if one.invariant.name == "usage_stats"]
    assert (statistics.checked > 0, statistics.violations) == (True, 0)


async def test_stream_ledger_and_process_come_to_the_same(servers: Instance, logs: Path, books: Books) -> None:
    """Each event is in the stream twice, and the first ones again at the end, as when they are published again."""
    async with counting(servers, logs) as process:
        accounts = [some_history(), some_history(), some_history()]
        accounts[1].told.pop()
        await books.write(*accounts)
        told = mixed(*accounts)
        healed = await process.meter("mana_usage_accounts_healed_total")
        await books.tell(one for one in told for _ in range(2))
        await books.tell(told[:9])
        await books.counted(*accounts, log=process.log)
        expected = sorted(row for account in accounts for row in rows_of(account))
        assert await books.rows(*accounts) == expected
        assert len({row[1] for row in expected}) == 2, "two days"
        assert await process.meter("mana_usage_accounts_healed_total") == healed, "by the events alone"
        all_rows = await books.every_row()
        for source in ("ledger", "stream"):
            spoilt = await books.owner.execute("UPDATE credits.usage_stats SET uses = 0, credits = credits + 1")
            made = rebuild(servers, source)
            assert (made.returncode, made.stderr) == (0, "")
            assert f"Rows that are others now: {len(all_rows)}." in made.stdout, spoilt
            assert await books.every_row() == all_rows
        events = int(made.stdout.split("Counted from the stream: ")[1].split()[0].replace(",", ""))
        assert events >= 2 * len(told) + 9
        accounts[0].use(1)
        await books.write(accounts[0])
        await books.tell(accounts[0].told[-1:])
        await books.counted(*accounts, log=process.log)
        assert await books.rows(accounts[0]) == rows_of(accounts[0]), "the process goes on"


async def test_gaps_are_filled_from_the_ledger_and_junk_is_passed_over(
    servers: Instance, logs: Path, books: Books
) -> None:
    async with counting(servers, logs) as process:
        torn, forged = some_history(), some_history()
        await books.write(torn, forged)
        before = await process.meter("mana_usage_accounts_healed_total")
        await books.publish(b"no JSON")
        await books.publish(b'{"source": "/mana/users", "type": "user.registered", "data": {"user": {}}}')
        await books.tell([*torn.told[:3], *torn.told[6:9]])
        await books.counted(torn, log=process.log)
        await books.tell([{**forged.told[0], "type": "refund", "amount": 0, "appId": "chat"}])
        await books.counted(torn, forged, log=process.log)
        assert await books.rows(torn, forged) == sorted([*rows_of(torn), *rows_of(forged)])
        await books.tell(torn.told)
        last = Account()
        last.use(1)
        await books.write(last)
        await books.tell(last.told)
        await books.counted(last, log=process.log)
        assert await books.rows(torn) == rows_of(torn), "what came behind the gap is known"
        assert await process.meter("mana_usage_accounts_healed_total") >= before + 1
        assert "an event cannot be read" in process.log.read_text()


async def test_one_counts_and_the_other_takes_over(servers: Instance, logs: Path, books: Books) -> None:
    async with counting(servers, logs) as first:

        async def counts() -> bool:
            return await first.meter("mana_usage_counting") == 1

        await until(counts, "the first one counts", first.log)
        async with counting(servers, logs) as second:
            account = some_history()
            await books.write(account)
            await books.tell(account.told[:5])
            assert await second.meter("mana_usage_counting") == 0
            first.signal(signal.SIGKILL)
            await first.child.wait()
            await books.tell(account.told[5:])
            await books.counted(account, log=second.log)
            assert await books.rows(account) == rows_of(account)
            assert await second.meter("mana_usage_counting") == 1


async def test_it_goes_on_where_it_was(servers: Instance, logs: Path, books: Books) -> None:
    """What was published meanwhile comes by the stream, and the ledger is not asked for it."""
    account = some_history()
    async with counting(servers, logs) as process:
        await books.write(account)
        await books.tell(account.told)
        await books.counted(account, log=process.log)
    account.use(11)
    await books.write(account)
    await books.tell(account.told[-1:])
    async with counting(servers, logs) as process:
        await books.counted(account, log=process.log)
        assert await books.rows(account) == rows_of(account)
        assert await process.meter("mana_usage_accounts_healed_total") == 0
        assert await process.meter("mana_usage_stream_breaks_total") == 0


@pytest.mark.parametrize("longer", [pytest.param(False, marks=pytest.mark.slow), True], ids=["shorter", "longer"])
async def test_a_stream_that_was_made_anew_is_noticed(
    servers: Instance, logs: Path, books: Books, longer: bool
) -> None:
    """Also when it has grown beyond the old place; and what was never published is counted from the ledger."""
    told, untold = some_history(), some_history()
    async with counting(servers, logs) as process:
        await books.write(told)
        await books.tell(told.told)
        await books.counted(told, log=process.log)
    await _remake_the_stream(servers)
    (reader,) = await books.owner.fetch("SELECT stream_offset FROM credits.usage_reader")
    place: int = reader["stream_offset"]
    if longer:
        await asyncio.gather(*(books.publish(b"{}", "x") for _ in range(place + 1)))
    told.use(12)
    await books.write(told, untold)
    await books.tell(told.told[-1:])
    async with counting(servers, logs) as process:
        await books.counted(told, untold, log=process.log)
        assert await books.rows(told, untold) == sorted([*rows_of(told), *rows_of(untold)])
        assert await process.meter("mana_usage_stream_breaks_total") == 1

        async def read_on() -> bool:
            return await process.meter("mana_usage_events_total") >= (place + 2 if longer else 1)

        await until(read_on, "the new stream is read", process.log)


async def test_what_never_comes_is_found_though_the_stream_never_rests(
    servers: Instance, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_worker, "_LOOK_SECONDS", 0.3)
    monkeypatch.setattr(usage_worker, "_LOST_AFTER", timedelta(0))
    registry = CollectorRegistry()
    addresses = servers.addresses
    settings = UsageSettings(database_url=addresses.database_as("mana_usage"), amqp_url=addresses.amqp_as(USAGE_LOGIN))
    process = UsageWorker(settings, UsageMeters(registry))
    running = asyncio.create_task(process.run())
    resting = asyncio.create_task(_never_rest(books))
    try:

        async def reads() -> bool:
            return bool(registry.get_sample_value("mana_usage_events_total", {"result": "unreadable"}))

        await until(reads, "the stream is read")
        lost = some_history()
        await books.write(lost)
        await books.counted(lost)
        assert await books.rows(lost) == rows_of(lost)
    finally:
        resting.cancel()
        process.stop()
        await asyncio.wait({running, resting})
    running.result()


async def _never_rest(books: Books) -> None:
    """Something comes all the time, well within the time after which the stream counts as quiet."""
    while True:
        await books.publish(b"no event")
        await asyncio.sleep(0.1)


async def _remake_the_stream(servers: Instance) -> None:
    async with await aio_pika.connect(servers.addresses.amqp) as connection:
        channel = await connection.channel()
        await channel.queue_delete(EVENTS_LOG)
        stream = await channel.declare_queue(EVENTS_LOG, durable=True, arguments=EVENTS_LOG_ARGUMENTS)
        await stream.bind("credits.events", "#")


async def test_who_is_deleted_has_no_models(servers: Instance, logs: Path, books: Books) -> None:
    """Not in what was counted, nor in what comes afterwards, nor when it is counted anew."""
    account = some_history()
    async with counting(servers, logs) as process:
        await books.write(account)
        await books.tell(account.told[:6])
        known = "SELECT sequence FROM credits.usage_progress WHERE account_id = $1"

        async def begun() -> bool:
            return await books.owner.fetchval(known, account.id) == 6

        await until(begun, "the first ones are counted", process.log)
        await books.owner.execute("INSERT INTO auth.erasures (user_id) VALUES ($1)", account.id)
        assert {row[4] for row in await books.rows(account)} == {""}
        await books.tell(account.told[6:])
        await books.counted(account, log=process.log)
        for one in account.told:
            one["metadata"] = None
        await books.owner.execute("UPDATE credits.transactions SET metadata = NULL WHERE account_id = $1", account.id)
        assert await books.rows(account) == rows_of(account)
        all_rows = await books.every_row()
        made = rebuild(servers, "stream", impatient=True)
        assert made.returncode == 0, made.stderr
        assert await books.every_row() == all_rows, made.stdout
    await books.owner.execute("DELETE FROM auth.erasures WHERE user_id = $1", account.id)


async def test_counting_anew_holds_up_some_accounts_at_a_time(
    servers: Instance, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it waits for one account, another's user is deleted; and both come out right."""
    monkeypatch.setattr(replacing, "ACCOUNTS_AT_ONCE", 1)
    held, other = sorted((some_history(), some_history()), key=lambda account: account.id)
    await books.write(held, other)
    url = servers.addresses.database_as("mana_usage")
    # Of other roles' sessions nobody is told what they wait for.
    watching, deleting = await asyncpg.connect(url), await asyncpg.connect(servers.addresses.database_as("mana_owner"))

    async def waits() -> bool:
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'"
        return await watching.fetchval(waiting, "a rebuilding") == 1

    try:
        async with replacing.Replacing.opened(url, "a rebuilding") as new:
            await new.store.catch_up()
            await books.owner.execute("INSERT INTO credits.usage_progress VALUES ($1, 0)", held.id)
            async with books.owner.transaction():
                await books.owner.execute(
                    "SELECT FROM credits.usage_progress WHERE account_id = $1 FOR UPDATE", held.id
                )
                running = asyncio.create_task(new.replace())
                await until(waits, "the rebuilding waits for the account")
                await deleting.execute("SET lock_timeout = '5s'")
                await deleting.execute("INSERT INTO auth.erasures (user_id) VALUES ($1)", other.id)
            await running
        assert await books.rows(held) == rows_of(held)
        assert {row[4] for row in await books.rows(other)} == {""}
    finally:
        await deleting.execute("DELETE FROM auth.erasures WHERE user_id = $1", other.id)
        await deleting.close()
        await watching.close()
