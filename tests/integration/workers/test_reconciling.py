"""What Stripe told and nobody heard is found by comparing with it, and fed by the same door."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from contracts.topology import FRONT_LOGIN
from ops.fakes.stripe.running import StandIn
from ops.fakes.stripe.running import running as stripe_running
from ops.instance import Instance
from tests.e2e.client import Client
from tests.faults.tools.proxy import Proxy
from tests.integration.api.process import front, until_ready
from tests.integration.api.stripe_events import WEBHOOK
from tests.integration.workers.payments import CREDITS, PRICE, Seller, event, payments_worker, selling, session_of
from tests.integration.workers.reconciling import Reconciler, another_ledger
from tests.integration.workers.running import running, until
from workers.payments.meters import PaymentsMeters
from workers.payments.reconciling import run as reconciling_run
from workers.payments.reconciling.__main__ import main
from workers.payments.reconciling.meters import ReconcilingMeters
from workers.payments.reconciling.store import ReconcilingStore
from workers.payments.reconciling.timer import Timer
from workers.payments.settings import PaymentsSettings

Printed = Callable[..., Awaitable[tuple[int, str]]]

_PAGE = 100
_FAR = timedelta(days=365)


@pytest.fixture(scope="module")
async def ledger(servers: Instance) -> AsyncGenerator[Instance]:
    async with another_ledger(servers, "reconciled") as instance:
        yield instance


@pytest.fixture(scope="module")
async def stand_in(logs: Path) -> AsyncGenerator[StandIn]:
    """Without an endpoint: everything that it has to tell is lost."""
    async with stripe_running(logs / "reconciled.log") as process:
        yield process


@pytest.fixture(scope="module")
async def _processes(ledger: Instance, logs: Path, stand_in: StandIn) -> AsyncGenerator[None]:
    async with running(ledger, logs) as worker, payments_worker(ledger, logs, stand_in.url):
        await worker.ready()
        yield


@pytest.fixture
async def seller(ledger: Instance, stand_in: StandIn, client: Client, _processes: None) -> AsyncGenerator[Seller]:
    async with selling(ledger, stand_in.url, client) as one:
        yield one


@pytest.fixture
def reconciler(ledger: Instance, stand_in: StandIn, request: pytest.FixtureRequest) -> Reconciler:
    if "printed" in request.fixturenames:
        # The program is told whole seconds, rounded up: by now what other tests left is more than one old.
        time.sleep(1)
    return Reconciler(ledger, stand_in)


@pytest.fixture
def patience_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happened just now, or will by the stand-in's clock, counts as lost."""
    monkeypatch.setattr(reconciling_run, "ON_THE_WAY", -_FAR)


@pytest.fixture
def printed(reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Printed:
    """What the program says about everything since the reconciler was made; its exit status first."""

    async def run(*options: str, **settings: str) -> tuple[int, str]:
        for name, value in {**reconciler.environment, **settings, "COLUMNS": "200"}.items():
            monkeypatch.setenv(name, value)
        status = await asyncio.to_thread(main, ["--since", reconciler.since.isoformat(), *options])
        told = capsys.readouterr()
        return status, told.out + told.err

    return run


async def _counted(owner: asyncpg.Connection) -> list[Any]:
    tables = ("stripe_events", "reconciliations", "transactions")
    return [await owner.fetchval(f"SELECT count(*) FROM credits.{table}") for table in tables]


async def _lost_all(seller: Seller) -> dict[str, list[tuple[str, int]]]:
    """Purchases of which nothing was told, by their ids, with what the ledger is to do for each."""
    paid, halved, lost = [await seller.begin() for _ in range(3)]
    await seller.bought(paid)
    await seller.refund(await seller.bought(halved), PRICE // 2)
    dispute = await seller.remote.dispute(await seller.bought(lost))
    await seller.remote.act(dispute["id"], "lose")
    bought = ("purchase", CREDITS)
    return {
        paid["user_id"]: [bought],
        halved["user_id"]: [bought, ("clawback", -CREDITS // 2)],
        lost["user_id"]: [bought, ("clawback", -CREDITS)],
    }


async def _are_there(seller: Seller, expected: dict[str, list[tuple[str, int]]]) -> None:
    for user, transactions in expected.items():
        done = [row for row in await seller.transactions({"user_id": user}) if row[1] != 0]
        assert sorted(done) == sorted(transactions)


async def test_what_never_arrived_is_fed_and_a_second_run_finds_nothing(
    seller: Seller, reconciler: Reconciler, printed: Printed, patience_is_over: None
) -> None:
    expected = await _lost_all(seller)
    before = await _counted(seller.owner)
    dry = await reconciler.run(dry_run=True)
    assert (await _counted(seller.owner), dry.fed, dry.differs) == (before, 0, True)
    assert {"checkout.session.completed": 3, "refund.created": 1, "charge.dispute.closed": 1}.items() <= dict(
        dry.missing
    ).items()
    assert len(dry.differences) == len(expected) + 2
    assert all(one.mend is not None for one in dry.differences)
    await _are_there(seller, {user: [] for user in expected})

    report = await reconciler.run()
    assert (report.missing, report.differences) == (dry.missing, [])
    assert (report.fed, report.unfinished, report.alarmed, report.differs) == (dry.missing.total(), 0, {}, False)
    await _are_there(seller, expected)
    row = await seller.owner.fetchrow("SELECT * FROM credits.reconciliations ORDER BY id DESC LIMIT 1")
    assert row is not None
    assert (row["asked_by"], row["livemode"], row["since"], row["problem"]) == ("operator", False, report.since, None)
    assert (row["missing"], row["fed"], row["unmended"]) == (report.fed, report.fed, 0)
    assert row["ended_at"] is not None

    status, said = await printed()
    assert (status, "Nothing was to be fed." in said) == (0, True), said
    await _are_there(seller, expected)


async def test_what_happened_just_now_is_fed_and_not_called_lost(seller: Seller, reconciler: Reconciler) -> None:
    metadata = await seller.begin()
    await seller.bought(metadata)
    report = await reconciler.run()
    assert (report.missing, report.counts.differences) == ({}, 0)
    assert report.on_their_way["checkout.session.completed"] == 1
    assert await seller.transactions(metadata) == [("purchase", CREDITS)]


@pytest.mark.usefixtures("patience_is_over")
async def test_every_page_of_events_is_read(seller: Seller, reconciler: Reconciler) -> None:
    metadata = await seller.begin()
    await seller.bought(metadata)
    foreign = {"id": "ch_foreign", "object": "charge", "payment_intent": None}
    await asyncio.gather(*(seller.remote.forge("charge.refunded", foreign) for _ in range(_PAGE + 1)))
    report = await reconciler.run()
    assert report.missing["charge.refunded"] == _PAGE + 1
    assert await seller.transactions(metadata) == [("purchase", CREDITS)]


@pytest.mark.usefixtures("patience_is_over")
async def test_what_stripe_lists_no_event_of_any_more_is_found_by_its_payments(
    seller: Seller, reconciler: Reconciler
) -> None:
    expected = await _lost_all(seller)
    others = {"amount": "500", "currency": "eur"}
    await asyncio.gather(*(seller.stripe.post("/v1/payment_intents", data=others) for _ in range(_PAGE + 1)))
    await seller.remote.advance(timedelta(days=31).total_seconds())
    report = await reconciler.run()
    assert (report.events, report.missing) == (0, {})
    kinds = sorted(one.mend.kind for one in report.differences if one.mend is not None)
    assert kinds == ["dispute", "payment", "payment", "payment", "refund"]
    assert (report.fed, report.unfinished, report.differs) == (5, 0, False)
    await _are_there(seller, expected)
    assert not (await reconciler.run()).differences


@pytest.mark.usefixtures("patience_is_over")
async def test_a_dispute_that_is_open_here_is_asked_about_however_old(seller: Seller, reconciler: Reconciler) -> None:
    metadata = await seller.begin()
    intent = await seller.bought(metadata)
    dispute = await seller.remote.dispute(intent)
    await reconciler.run()
    assert (await seller.purchase(metadata))["status"] == "disputed"
    await seller.remote.act(dispute["id"], "win")
    await seller.remote.advance(timedelta(days=31).total_seconds())
    report = await replace(reconciler, since=datetime.now(UTC) + _FAR).run()
    assert [(one.purchase, one.mend and one.mend.event_id) for one in report.differences] == [
        (metadata["purchase_id"], f"mana_{dispute['id']}_won")
    ]
    assert (await seller.purchase(metadata))["status"] == "completed"


@pytest.mark.usefixtures("patience_is_over")
async def test_what_is_given_back_of_an_old_payment_is_found(seller: Seller, reconciler: Reconciler) -> None:
    metadata = await seller.begin()
    intent = await seller.bought(metadata)
    await seller.refund(intent, PRICE // 5)
    await reconciler.run()
    later = (await seller.remote.advance(10))["now"]
    refund = await seller.refund(intent, PRICE // 5)
    await seller.remote.advance(timedelta(days=31).total_seconds())
    report = await replace(reconciler, since=datetime.fromtimestamp(later, UTC)).run()
    assert [(one.purchase, one.mend and one.mend.event_id) for one in report.differences] == [
        (metadata["purchase_id"], f"mana_{refund}_succeeded")
    ]
    taken = ("clawback", -CREDITS // 5)
    assert await seller.transactions(metadata) == [("purchase", CREDITS), taken, taken]


@pytest.mark.usefixtures("patience_is_over")
async def test_what_was_fed_before_and_did_not_mend_it_is_fed_no_more(seller: Seller, reconciler: Reconciler) -> None:
    metadata = await seller.begin()
    intent = await seller.bought(metadata)
    await seller.owner.execute(
        "INSERT INTO credits.stripe_events (id, type, received_at, outcome, done_at)"
        " VALUES ($1, 'payment_intent.succeeded', now(), 'ignored', now())",
        f"mana_{intent}_succeeded",
    )
    await seller.remote.advance(timedelta(days=31).total_seconds())
    report = await reconciler.run()
    assert [(one.purchase, one.what) for one in report.unmended] == [
        (metadata["purchase_id"], f"paid at Stripe, not here; mana_{intent}_succeeded did not mend it")
    ]
    assert (report.fed, report.differs) == (0, True)
    await seller.owner.execute("DELETE FROM credits.stripe_events WHERE id = $1", f"mana_{intent}_succeeded")
    assert (await reconciler.run()).fed == 1
    assert await seller.transactions(metadata) == [("purchase", CREDITS)]


async def test_topups_of_a_restored_ledger_are_held_until_nothing_differs(seller: Seller, printed: Printed) -> None:
    """And until all was compared since their last turn; or as long as nobody says that they may go on."""
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    await _hold_topups(seller, -hour)
    status, said = await printed()
    assert (status, "top-ups are held" in said, await _held(seller)) == (0, True, True), said
    await _hold_topups(seller, minute)
    status, said = await printed()
    assert (status, "top-ups are held" in said, await _held(seller)) == (0, False, False), said
    forged = event("checkout.session.completed", session_of(await seller.begin()))
    await seller.tell(forged)
    await seller.done(forged["id"])
    await _hold_topups(seller, minute)
    status, said = await printed()
    assert (status, "top-ups are held" in said, await _held(seller)) == (1, True, True), said
    status, said = await printed("--release-topups")
    assert (status, "top-ups are held" in said, await _held(seller)) == (1, False, False), said


async def _hold_topups(seller: Seller, ended: timedelta) -> None:
    """As a restore leaves them, the last turn so long from now. A turn that a worker is at is waited for: its end would
    let the next one be."""
    hold = (
        "UPDATE credits.topup_rounds SET due_at = 'infinity', ended_at = now() + $1"
        " WHERE NOT livemode AND (due_at < now() + interval '10 s' OR due_at = 'infinity')"
    )
    while await seller.owner.execute(hold, ended) != "UPDATE 1":
        await asyncio.sleep(0.05)


async def _held(seller: Seller) -> bool:
    return bool(await seller.owner.fetchval("SELECT due_at = 'infinity' FROM credits.topup_rounds WHERE NOT livemode"))


async def test_what_no_event_can_mend_is_told_and_ends_with_1(
    seller: Seller, reconciler: Reconciler, printed: Printed
) -> None:
    forged = await seller.begin()
    told = event("checkout.session.completed", session_of(forged))
    await seller.tell(told)
    await seller.done(told["id"])
    dear = await seller.begin()
    await seller.owner.execute("UPDATE credits.purchases SET amount = 400 WHERE id::text = $1", dear["purchase_id"])
    await seller.bought(dear)
    twice = await seller.begin()
    await seller.bought(twice)
    await seller.bought(twice)
    report = await reconciler.run()
    by_purchase = {one.purchase: one.what for one in report.unmended}
    assert by_purchase == {
        forged["purchase_id"]: "paid here, and Stripe knows no such payment",
        dear["purchase_id"]: f"{PRICE} eur came in, the price is 400 eur",
        twice["purchase_id"]: by_purchase[twice["purchase_id"]],
    }
    assert "came in once more" in by_purchase[twice["purchase_id"]]
    assert report.differs
    assert await seller.transactions(forged) == await seller.transactions(twice) == [("purchase", CREDITS)]
    status, said = await printed()
    assert status == 1
    assert f"{forged['purchase_id']}: {told['data']['object']['payment_intent']}: paid here, and" in said
    assert "3 differences are left" in said


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"STRIPE_SECRET_KEY": ""}, "STRIPE_SECRET_KEY is not set"),
        ({"AMQP_URL": "amqp://guest:guest@127.0.0.1:9/"}, "RabbitMQ cannot be reached"),
        pytest.param({"STRIPE_API_URL": "http://127.0.0.1:9"}, "APIConnectionError", marks=pytest.mark.slow),
    ],
)
async def test_where_it_cannot_look_it_says_so_and_ends_with_2(
    printed: Printed, settings: dict[str, str], said: str
) -> None:
    status, told = await printed(**settings)
    assert (status, told.count("\n")) == (2, 1)
    assert told.startswith("Stripe could not be compared with: ")
    assert said in told


@pytest.mark.usefixtures("_processes")
async def test_while_rabbitmq_is_away_the_front_says_503_and_all_of_it_comes_by_comparing(
    ledger: Instance, logs: Path, client: Client
) -> None:
    amqp, secret = ledger.addresses.amqp_as(FRONT_LOGIN), "whsec_of_the_one_that_cannot_queue"
    async with (
        Proxy.before(amqp) as proxy,
        front(ledger, logs, AMQP_URL=proxy.url(amqp), STRIPE_WEBHOOK_SECRET=secret) as process,
    ):
        await until_ready(process)
        endpoint = ("--endpoint", f"{process.url}{WEBHOOK}", "--endpoint-secret", secret)
        async with (
            stripe_running(logs / "unheard.log", *endpoint) as stand_in,
            selling(ledger, stand_in.url, client) as seller,
        ):
            reconciler = Reconciler(ledger, stand_in)
            metadata = await seller.begin()
            async with proxy.down():
                await seller.bought(metadata)
                await seller.remote.deliver_now()
                # Gives up, as Stripe does after three days.
                (known,) = (await seller.stripe.get("/v1/webhook_endpoints")).json()["data"]
                await seller.stripe.delete(f"/v1/webhook_endpoints/{known['id']}")
                await seller.remote.deliver_now()
            told = await seller.remote.deliveries()
            assert {one["state"] for one in told} == {"given_up"}
            assert {answer["status"] for one in told for answer in one["answers"]} == {503}
            report = await reconciler.run()
            assert report.on_their_way["checkout.session.completed"] == 1
            assert (report.unfinished, report.differs) == (0, False)
            assert await seller.transactions(metadata) == [("purchase", CREDITS)]


async def _looked(settings: PaymentsSettings) -> str:
    """What came of a new worker's first look."""
    registry = CollectorRegistry()
    task = asyncio.create_task(Timer(settings, PaymentsMeters(registry), ReconcilingMeters(registry)).run())

    def outcomes() -> list[str]:
        name = "mana_stripe_reconciliations_total"
        return [what for what in ("ended", "failed", "left") if registry.get_sample_value(name, {"outcome": what})]

    async def has_looked() -> bool:
        return bool(outcomes())

    await until(has_looked, "it has looked")
    task.cancel()
    return ", ".join(outcomes())


async def test_the_timer_of_one_worker_alone_compares(seller: Seller, reconciler: Reconciler) -> None:
    metadata = await seller.begin()
    await seller.bought(metadata)
    settings = reconciler.settings(STRIPE_RECONCILE_EVERY="20s")
    async with ReconcilingStore.opened(settings.database_url, "another-worker") as another:
        assert await another.try_lock()
        assert await _looked(settings) == "left"
    await until(lambda: _is_free(settings), "the lock is free")
    assert await _looked(settings) == "ended"
    assert await _looked(settings) == "left"
    rows = await seller.owner.fetch("SELECT * FROM credits.reconciliations WHERE asked_by = 'timer'")
    assert [(row["problem"], row["begun_at"] - row["since"] > timedelta(days=2)) for row in rows] == [(None, True)]
    assert await seller.transactions(metadata) == [("purchase", CREDITS)]
    await seller.owner.execute("DELETE FROM credits.reconciliations WHERE asked_by = 'timer'")


async def _is_free(settings: PaymentsSettings) -> bool:
    async with ReconcilingStore.opened(settings.database_url, "a-test") as store:
        return await store.try_lock()


async def test_a_timer_that_cannot_look_says_so_and_goes_on(seller: Seller, reconciler: Reconciler) -> None:
    registry = CollectorRegistry()
    settings = reconciler.settings(STRIPE_RECONCILE_EVERY="1s", AMQP_URL="amqp://guest:guest@127.0.0.1:9/")
    task = asyncio.create_task(Timer(settings, PaymentsMeters(registry), ReconcilingMeters(registry)).run())

    async def failed_twice() -> bool:
        assert not task.done()
        return (registry.get_sample_value("mana_stripe_reconciliations_total", {"outcome": "failed"}) or 0) >= 2

    await until(failed_twice, "it has failed, and failed again")
    task.cancel()
    assert await seller.owner.fetchval(
        "SELECT bool_and(problem LIKE 'RabbitMQ cannot be reached%' AND ended_at IS NOT NULL)"
        " FROM credits.reconciliations WHERE asked_by = 'timer'"
    )
    await seller.owner.execute("DELETE FROM credits.reconciliations WHERE asked_by = 'timer'")


async def test_a_worker_knows_from_its_start_when_it_was_last_compared_with(
    seller: Seller, reconciler: Reconciler
) -> None:
    settings = reconciler.settings(STRIPE_RECONCILE_EVERY="1h")
    assert time.time() - await _well_at(settings, lambda told: told > 0) < 60  # never: as if now
    await seller.owner.execute(
        "INSERT INTO credits.reconciliations (asked_by, livemode, since, begun_at, ended_at)"
        " SELECT 'timer', false, now(), moment, moment FROM (SELECT now() - interval '31 hours' AS moment) AS past"
    )
    assert time.time() - await _well_at(settings, lambda told: time.time() - told > 3600) > 30 * 3600
    await seller.owner.execute("DELETE FROM credits.reconciliations WHERE asked_by = 'timer'")


async def _well_at(settings: PaymentsSettings, wanted: Callable[[float], bool]) -> float:
    """What a new worker tells before its first comparison, once that is wanted."""
    registry = CollectorRegistry()
    task = asyncio.create_task(Timer(settings, PaymentsMeters(registry), ReconcilingMeters(registry)).run())

    def told() -> float:
        return registry.get_sample_value("mana_stripe_reconciled_timestamp_seconds") or 0.0

    async def as_wanted() -> bool:
        return wanted(told())

    await until(as_wanted, "it tells what is wanted")
    task.cancel()
    return told()


@pytest.mark.slow
async def test_of_two_workers_one_compares_by_itself(
    ledger: Instance, logs: Path, stand_in: StandIn, seller: Seller
) -> None:
    metadata = await seller.begin()
    await seller.bought(metadata)
    every = {"STRIPE_RECONCILE_EVERY": "24s"}
    async with (
        payments_worker(ledger, logs, stand_in.url, **every) as one,
        payments_worker(ledger, logs, stand_in.url, **every) as other,
    ):

        async def both_have_looked() -> bool:
            name = "mana_stripe_reconciliations_total"
            return await one.meter(name) + await other.meter(name) >= 2

        await until(both_have_looked, "both have looked", one.log)
    rows = await seller.owner.fetch("SELECT problem FROM credits.reconciliations WHERE asked_by = 'timer'")
    assert [row["problem"] for row in rows] == [None]
    assert await seller.transactions(metadata) == [("purchase", CREDITS)]
