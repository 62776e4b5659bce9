"""Processes are killed and servers are away in the middle of it: nothing is lost, nothing happens twice."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from contracts.topology import PAYMENTS_LOGIN
from ops import urls
from ops.fakes.stripe.running import StandIn
from ops.instance import Instance
from ops.management import Management
from tests.e2e.client import Client
from tests.faults.tools.proxy import Proxy
from tests.integration.workers.payments import (
    CREDITS,
    Event,
    Seller,
    event,
    payments_worker,
    selling,
    session_of,
)
from tests.integration.workers.running import Running, running, until

_MANY = 300


@pytest.fixture
async def seller(servers: Instance, stand_in: StandIn, client: Client) -> AsyncGenerator[Seller]:
    async with selling(servers, stand_in.url, client) as one:
        yield one


async def _killed(process: Running) -> None:
    process.signal(signal.SIGKILL)
    await process.child.wait()


async def _sent(seller: Seller, told: Event, times: int) -> None:
    async def look() -> bool:
        row = (await seller.rows([told["id"]])).get(told["id"])
        return row is not None and row["tries"] >= times

    await until(look, f"{told['id']} was sent {times} times")


async def _says(process: Running, part: str) -> None:
    async def look() -> bool:
        return part in (await process.health()).get("problems", {})

    await until(look, f"{part} is a problem", process.log)


async def _all_kept(seller: Seller, told: list[Event]) -> None:
    names = [one["id"] for one in told]

    async def look() -> bool:
        return len(await seller.rows(names)) == len(names)

    await until(look, "all are kept")


def _many() -> list[Event]:
    return [event("product.updated", {"id": f"prod_{number}"}) for number in range(_MANY)]


@pytest.mark.slow
async def test_what_was_kept_and_not_sent_is_sent_by_the_next_process(
    servers: Instance, logs: Path, stand_in: StandIn, seller: Seller
) -> None:
    async with running(servers, logs) as ledger:
        await ledger.ready()
        metadata = await seller.begin()
        told = event("checkout.session.completed", session_of(metadata))
        async with payments_worker(servers, logs, stand_in.url) as first:
            async with seller.owner.transaction():
                await seller.owner.execute("LOCK TABLE credits.purchases IN ACCESS EXCLUSIVE MODE")
                await seller.tell(told)
                await _all_kept(seller, [told])
                await _killed(first)
            row = (await seller.rows([told["id"]]))[told["id"]]
            assert (row["tries"], row["keys"], row["done_at"]) == (0, None, None)
        async with payments_worker(servers, logs, stand_in.url):
            await seller.done(told["id"])
        assert await seller.transactions(metadata) == [("purchase", CREDITS)]


async def test_a_ledger_that_is_away_is_told_again_and_again_and_a_killed_process_goes_on(
    servers: Instance, logs: Path, stand_in: StandIn, seller: Seller
) -> None:
    async with running(servers, logs) as ledger:
        await ledger.ready()
        metadata = await seller.begin()
    told = event("checkout.session.completed", session_of(metadata))
    async with payments_worker(servers, logs, stand_in.url) as first:
        await seller.tell(told)
        await _sent(seller, told, 2)
        await _killed(first)
    row = (await seller.rows([told["id"]]))[told["id"]]
    assert (row["done_at"], row["reason"]) == (None, None)
    async with payments_worker(servers, logs, stand_in.url), running(servers, logs):
        rows = await seller.done(told["id"])
    assert rows[told["id"]]["keys"] == [f"stripe:purchase:{told['data']['object']['payment_intent']}"]
    assert await seller.transactions(metadata) == [("purchase", CREDITS)]


@pytest.mark.slow
async def test_a_full_queue_is_no_alarm_and_ten_sendings_in_vain_are_one(
    servers: Instance, logs: Path, stand_in: StandIn, seller: Seller
) -> None:
    async with running(servers, logs) as ledger:
        await ledger.ready()
        user = (await seller.begin())["user_id"]
        purchases = [await seller.begin(user) for _ in range(20)]
    told = [event("checkout.session.completed", session_of(metadata)) for metadata in purchases]
    names = [one["id"] for one in told]
    policy = {"pattern": "^credits.commands", "definition": {"max-length": 2}, "apply-to": "queues", "priority": 9}
    login, password = urls.login_of(servers.addresses.amqp)
    vhost = urls.vhost_of(servers.addresses.amqp)
    async with (
        Management(servers.addresses.management, login, password) as broker,
        payments_worker(servers, logs, stand_in.url) as payments,
    ):
        await broker.put("policies", vhost, "tight", body=policy)
        try:
            await seller.tell(*told)
            await until(lambda: _refused(payments), "the queue refused some", payments.log)
            await _all_kept(seller, told)
            assert {row["reason"] for row in (await seller.rows(names)).values()} == {None}
        finally:
            await broker.delete("policies", vhost, "tight")
        vain = told[0]["id"]
        await seller.owner.execute("UPDATE credits.stripe_events SET tries = 10, due_at = now() WHERE id = $1", vain)

        async def alarmed() -> bool:
            return (await seller.rows([vain]))[vain]["reason"] is not None

        await until(alarmed, "there is an alarm", payments.log)
        assert "sent 10 times" in (await seller.rows([vain]))[vain]["reason"]
        assert await payments.meter("mana_stripe_alarms_raised_total") == 1
        async with running(servers, logs):
            rows = await seller.done(*names)
    assert {row["reason"] for row in rows.values()} == {None}
    assert await seller.transactions(purchases[0]) == [("purchase", CREDITS)] * len(told)


async def _refused(payments: Running) -> bool:
    async with httpx.AsyncClient() as http:
        return 'verdict="refused"' in (await http.get(f"{payments.url}/metrics")).text


async def test_without_a_database_events_are_held_and_kept_when_it_is_back(
    servers: Instance, logs: Path, stand_in: StandIn, seller: Seller
) -> None:
    held, left = _many(), _many()
    url = servers.addresses.database_as("mana_payments")
    async with (
        Proxy.before(url) as line,
        payments_worker(servers, logs, stand_in.url, DATABASE_URL=line.url(url)) as first,
    ):
        async with line.down():
            await seller.tell(*held)
            await _says(first, "postgresql")
            assert await seller.rows(one["id"] for one in held) == {}
        await _all_kept(seller, held)
        await first.ready()
        assert await first.meter("mana_stripe_events_kept_total") == _MANY, "each came once: none was given back"
        async with line.down():
            await seller.tell(*left)
            await _says(first, "postgresql")
            await _killed(first)
    async with payments_worker(servers, logs, stand_in.url):
        await _all_kept(seller, left)
        rows = await seller.done(*(one["id"] for one in [*held, *left]))
    assert {row["outcome"] for row in rows.values()} == {"ignored"}


@pytest.mark.slow
async def test_a_broker_that_goes_away_and_comes_back_is_heard_again(
    servers: Instance, logs: Path, stand_in: StandIn, seller: Seller
) -> None:
    told = _many()
    url = servers.addresses.amqp_as(PAYMENTS_LOGIN)
    async with (
        Proxy.before(url) as line,
        payments_worker(servers, logs, stand_in.url, AMQP_URL=line.url(url)) as payments,
    ):
        async with line.down():
            await seller.tell(*told)
            await _says(payments, "rabbitmq")
        await seller.done(*(one["id"] for one in told))
        await payments.ready()


@pytest.mark.slow
async def test_stripe_is_away_for_a_while_and_only_those_wait_that_it_is_asked_about(
    servers: Instance, logs: Path, stand_in: StandIn, seller: Seller
) -> None:
    async with (
        running(servers, logs) as ledger,
        Proxy.before(stand_in.url) as line,
        payments_worker(servers, logs, line.url(stand_in.url)) as payments,
    ):
        await ledger.ready()
        asked, other = await seller.begin(), await seller.begin()
        intent = await seller.bought(asked)
        await seller.refund(intent, 100)
        refunds = [one for one in await seller.happened(asked["purchase_id"], intent) if "refund" in one["type"]]
        paid = event("checkout.session.completed", session_of(other))

        async def asked_in_vain() -> bool:
            return any(line.get("event") == "Stripe cannot be asked" for line in payments.output)

        async with line.down():
            await seller.tell(*refunds, paid)
            await seller.done(paid["id"])
            await until(asked_in_vain, "Stripe was asked in vain")
            assert (await payments.health())["status"] == "ready"
            waiting = await seller.rows(one["id"] for one in refunds)
            assert {(row["done_at"], row["reason"]) for row in waiting.values()} == {(None, None)}
        rows = await seller.done(*(one["id"] for one in refunds))
    assert {row["outcome"] for row in rows.values()} == {"done"}
    assert await seller.transactions(asked) == [("purchase", CREDITS), ("clawback", -100)]


@pytest.mark.slow
async def test_two_processes_side_by_side_do_each_thing_once(
    servers: Instance, logs: Path, stand_in: StandIn, seller: Seller
) -> None:
    async with (
        running(servers, logs) as ledger,
        payments_worker(servers, logs, stand_in.url) as one,
        payments_worker(servers, logs, stand_in.url) as other,
    ):
        await ledger.ready()
        user = (await seller.begin())["user_id"]
        purchases = [await seller.begin(user) for _ in range(40)]
        told = [event("checkout.session.completed", session_of(metadata)) for metadata in purchases]
        await seller.tell(*told, *told, *told)
        await seller.done(*(made["id"] for made in told))
        kept = [await process.meter("mana_stripe_events_kept_total") for process in (one, other)]
        assert min(kept) > 0
        assert sum(kept) == len(told)
    assert await seller.transactions(purchases[0]) == [("purchase", CREDITS)] * len(told)
