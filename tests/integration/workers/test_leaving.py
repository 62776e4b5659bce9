"""Goal: who is deleted is forgotten at Stripe too, and pays for nothing; and no purchase stays pending for ever.

The rounds of workers are moved by hand, but for the last test; Stripe's stand-in, the database, the broker and the
ledger are real.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.commands import Buy
from contracts.payments import Payment
from contracts.stripe import failed_key, paid_key
from ops.fakes.stripe.running import StandIn
from ops.instance import Instance
from tests.e2e.client import Client
from tests.integration.workers.leaving import Keeper, Leaver, keeping_order, leaver
from tests.integration.workers.payments import CREDITS, PRICE, Event, Seller, event, payments_worker, selling
from tests.integration.workers.running import until
from workers.payments.leaving.abandoned import UNDER_WAY_MAX
from workers.payments.model import Commands
from workers.payments.reading import Incoming
from workers.payments.store import EventStore, Outcome, Step

pytestmark = pytest.mark.usefixtures("worker")

NOBODY_THERE = "http://127.0.0.1:9"
"""The port of ``discard``, which nobody listens on."""


@pytest.fixture
async def seller(servers: Instance, stand_in: StandIn, client: Client) -> AsyncGenerator[Seller]:
    async with selling(servers, stand_in.url, client) as one:
        await one.owner.execute("DELETE FROM credits.forgotten_customers")  # other tests' users
        yield one
        await one.remote.switch(async_seconds=5)
        await one.owner.execute("UPDATE credits.purchases SET created_at = now() WHERE status = 'pending'")


@pytest.fixture
async def keeper(servers: Instance, stand_in: StandIn) -> AsyncGenerator[Keeper]:
    async with keeping_order(servers, stand_in.url) as one:
        yield one


async def test_stripe_forgets_who_was_deleted(seller: Seller, keeper: Keeper) -> None:
    ada, grace = await leaver(seller), await leaver(seller)
    await ada.delete()
    (row,) = await ada.forgotten()
    assert row["later"], "a request that was under way could still reach Stripe"
    assert (
        await seller.owner.fetchval("SELECT count(*) FROM credits.customers WHERE account_id::text = $1", ada.user) == 0
    )
    await keeper.forgetting.round()
    assert await ada.at_stripe() == (False, "open")
    await ada.is_due()
    await keeper.forgetting.round()
    assert (await ada.at_stripe(), await ada.forgotten()) == ((True, "expired"), [])
    assert keeper.counted("mana_stripe_left_behind_total", what="customer") == 1
    assert (await grace.at_stripe(), await grace.forgotten()) == ((False, "open"), [])
    assert await seller.remote.pay(grace.session) is None


async def test_while_stripe_is_away_all_waits_and_another_worker_goes_on(
    servers: Instance, stand_in: StandIn, seller: Seller, keeper: Keeper
) -> None:
    ada, left = await leaver(seller), await _pending(seller, "expired", hours=26)
    await ada.delete()
    await ada.is_due()
    told = {"type": "credits.purchase", "verdict": "confirmed"}
    async with keeping_order(servers, stand_in.url, key=None) as without_key:
        await without_key.forgetting.round()
        await without_key.giving_up.round()
        assert without_key.counted("mana_stripe_commands_total", **told) == 0
    (row,) = await ada.forgotten()
    assert (row["tries"], row["later"]) == (0, False), "without a key nothing is asked"

    async with keeping_order(servers, NOBODY_THERE) as away:
        await asyncio.gather(away.forgetting.round(), away.giving_up.round())
        for kind in ("expire", "checkout"):
            assert away.counted("mana_stripe_questions_total", kind=kind, result="away") == 1
        assert away.counted("mana_stripe_customers_to_delete") == 1
        assert away.counted("mana_stripe_commands_total", **told) == 0
    (row,) = await ada.forgotten()
    assert (row["tries"], row["later"]) == (1, True)
    assert (await ada.at_stripe(), await _status(seller, left)) == ((False, "open"), "pending")

    await ada.is_due()
    async with keeping_order(servers, stand_in.url) as another:
        await asyncio.gather(*(part.round() for one in (another, keeper) for part in (one.forgetting, one.giving_up)))
        await until(lambda: _has_failed(seller, left), "it has failed")
    assert (await ada.at_stripe(), await ada.forgotten()) == ((True, "expired"), [])


async def test_a_customer_whom_stripe_has_forgotten_before_is_no_alarm(seller: Seller, keeper: Keeper) -> None:
    ada = await leaver(seller)
    await seller.ask("DELETE", f"/v1/customers/{ada.customer}")
    await ada.delete()
    await ada.is_due()
    await keeper.forgetting.round()
    assert (await ada.at_stripe(), await ada.forgotten()) == ((True, "expired"), [])
    assert keeper.counted("mana_stripe_left_behind_alarms_raised_total") == 0


async def test_money_of_who_was_deleted_is_credited_and_raises_one_alarm(
    servers: Instance, stand_in: StandIn, seller: Seller, keeper: Keeper
) -> None:
    ada, grace = await leaver(seller), await leaver(seller)
    await _paid(ada, keeper)
    await ada.delete()
    await grace.delete()
    intent = await _paid(grace, keeper)
    assert await seller.transactions(grace.metadata) == [("purchase", CREDITS)]
    async with keeping_order(servers, stand_in.url) as another:
        await asyncio.gather(another.forgetting.round(), keeper.forgetting.round())
        await keeper.forgetting.round()
        alarms = [one.counted("mana_stripe_left_behind_alarms_raised_total") for one in (keeper, another)]
    assert sum(alarms) == 1, "only what came in after the deletion, and once"
    late = await seller.owner.fetch("SELECT purchase_id::text FROM credits.late_payments")
    assert [row["purchase_id"] for row in late] == [grace.metadata["purchase_id"]]
    assert keeper.counted("mana_stripe_late_payments") == 1
    await _refunded(grace, intent)
    await keeper.forgetting.round()
    assert keeper.counted("mana_stripe_late_payments") == 0


async def test_bodies_of_who_was_deleted_go_once_they_are_done(
    servers: Instance, seller: Seller, keeper: Keeper
) -> None:
    ada, grace = await leaver(seller), await leaver(seller)
    names = {name: event("x", {})["id"] for name in ("done", "waiting", "another's", "refused", "ignored")}
    store = EventStore(servers.addresses.database_as("mana_payments"), application_name="a-test")
    await store.keep([Incoming(id=name, type="x", body=b"{}") for name in names.values()])
    await store.take(
        [
            _step(names["done"], "done", ada),
            _step(names["waiting"], None, ada),
            _step(names["another's"], "done", grace),
            _step(names["refused"], "refused", None),
            _step(names["ignored"], "ignored", None),
        ]
    )
    await store.close()
    with_body = set(names) - {"ignored"}
    assert await _with_body(seller, names) == with_body, "what is ignored tells nobody whose it is: it goes at once"
    await keeper.forgetting.round()
    assert await _with_body(seller, names) == with_body
    await ada.delete()
    await keeper.forgetting.round()
    assert await _with_body(seller, names) == with_body - {"done"}
    await seller.owner.execute(
        "UPDATE credits.stripe_events SET done_at = now(), outcome = 'done' WHERE id = $1", names["waiting"]
    )
    await keeper.forgetting.round()
    assert await _with_body(seller, names) == {"another's", "refused"}


async def test_purchases_that_nobody_ends_are_given_up(seller: Seller, keeper: Keeper) -> None:
    await seller.remote.switch(async_seconds=None)
    never_begun = {"just": await _pending(seller, minutes=59), "over": await _pending(seller, minutes=61)}
    expired = {"just": await _pending(seller, "expired", hours=24), "over": await _pending(seller, "expired", hours=26)}
    unpaid = {
        "just": await _pending(seller, "under way", hours=26),
        "over": await _pending(seller, "under way", hours=UNDER_WAY_MAX.total_seconds() / 3600 + 1),
    }
    unknown = await _pending(seller, "cs_test_gone", hours=26)
    waiting = [
        await _pending(seller, "open", hours=26),
        await _pending(seller, "cs_live_another_modes", hours=26),
        *(one["just"] for one in (never_begun, expired, unpaid)),
    ]
    over = [never_begun["over"], expired["over"], unpaid["over"], unknown]
    for _ in range(2):
        await keeper.giving_up.round()

    async def all_failed() -> bool:
        return [await _status(seller, one) for one in over] == ["failed"] * len(over)

    await until(all_failed, "they have failed")
    assert [await _status(seller, one) for one in waiting] == ["pending"] * len(waiting)
    keys = await seller.owner.fetch(
        "SELECT idempotency_key AS key FROM credits.keys WHERE account_id::text = $1", unknown["user_id"]
    )
    assert failed_key(unknown["purchase_id"]) in {row["key"] for row in keys}
    asked = keeper.counted("mana_stripe_questions_total", kind="checkout", result="answered")
    await keeper.giving_up.round()
    assert keeper.counted("mana_stripe_questions_total", kind="checkout", result="answered") == asked
    assert keeper.counted("mana_stripe_left_behind_total", what="purchase") == len(over)
    await _pay(seller, unknown, "pi_late", keeper)
    assert await seller.transactions(unknown) == [("purchase", CREDITS)]


async def test_top_ups_end_by_themselves_unless_they_are_forgotten(seller: Seller, keeper: Keeper) -> None:
    topup = await _pending(seller, hours=26)
    await seller.owner.execute(
        "INSERT INTO credits.topup_payments"
        " (purchase_id, account_id, livemode, stripe_customer_id, stripe_payment_method_id, state)"
        " VALUES ($1::text::uuid, $2::text::uuid, false, 'cus_1', 'pm_1', 'waiting')",
        topup["purchase_id"],
        topup["user_id"],
    )
    await keeper.giving_up.round()
    assert keeper.counted("mana_stripe_commands_total", type="credits.purchase", verdict="confirmed") == 0
    await seller.owner.execute(
        "DELETE FROM credits.topup_payments WHERE purchase_id = $1::text::uuid", topup["purchase_id"]
    )
    await keeper.giving_up.round()
    await until(lambda: _has_failed(seller, topup), "it has failed")


async def test_a_worker_puts_it_all_in_order(servers: Instance, logs: Path, stand_in: StandIn, seller: Seller) -> None:
    ada, left = await leaver(seller), await _pending(seller, minutes=61)
    await ada.delete()
    await ada.is_due()

    async def is_forgotten() -> bool:
        return await ada.forgotten() == []

    async with payments_worker(servers, logs, stand_in.url):
        await until(is_forgotten, "Stripe has forgotten the user")
        await until(lambda: _has_failed(seller, left), "the purchase has failed")
    assert await ada.at_stripe() == (True, "expired")


def _step(name: str, outcome: Outcome | None, whose: Leaver | None) -> Step:
    """As the worker writes it."""
    account = None if whose is None else whose.user
    return Step(id=name, outcome=outcome, account_id=account, pause=timedelta(hours=1))


async def _with_body(seller: Seller, names: dict[str, str]) -> set[str]:
    rows = await seller.rows(names.values())
    return {name for name, one in names.items() if rows[one]["body"] is not None}


async def _pending(seller: Seller, session: str | None = None, *, minutes: float = 0, hours: float = 0) -> Event:
    """A purchase of so long ago; its session is none, of this id, or a real one that stands so."""
    metadata = await seller.begin()
    if session in ("open", "expired", "under way"):
        name = await seller.checkout(metadata)
        if session == "expired":
            await seller.ask("POST", f"/v1/checkout/sessions/{name}/expire")
        if session == "under way":
            assert await seller.remote.pay(name, iban="AT611904300234573201", email="ada@example.com") is None
    else:
        name = session
    await seller.owner.execute(
        "UPDATE credits.purchases SET stripe_checkout_session_id = $2, created_at = now() - $3::interval"
        " WHERE id = $1::text::uuid",
        metadata["purchase_id"],
        name,
        timedelta(minutes=minutes, hours=hours),
    )
    return metadata


async def _status(seller: Seller, metadata: Event) -> str:
    return (await seller.purchase(metadata))["status"]


async def _has_failed(seller: Seller, metadata: Event) -> bool:
    return await _status(seller, metadata) == "failed"


async def _paid(ada: Leaver, keeper: Keeper) -> str:
    """Pays the checkout; the ledger is told, as by Stripe's event."""
    assert await ada.seller.remote.pay(ada.session) is None
    intent = (await ada.seller.ask("GET", f"/v1/checkout/sessions/{ada.session}"))["payment_intent"]
    await _pay(ada.seller, ada.metadata, intent, keeper)
    return intent


async def _pay(seller: Seller, metadata: Event, intent: str, keeper: Keeper) -> None:
    paid = Payment(amount=PRICE, currency="eur", payment_intent_id=intent)
    user, purchase = metadata["user_id"], metadata["purchase_id"]
    command = Buy(user_id=user, idempotency_key=paid_key(intent), purchase_id=purchase, paid=paid)
    assert await keeper.sending.send([Commands(user, (command,))]) == [True]

    async def is_paid() -> bool:
        return (await seller.purchase(metadata))["paid"]

    await until(is_paid, "the ledger holds it")


async def _refunded(ada: Leaver, intent: str) -> None:
    """Somebody has seen the alarm."""
    await ada.seller.refund(intent, PRICE)
    await ada.seller.owner.execute(
        "UPDATE credits.purchases SET status = 'refunded' WHERE id = $1::text::uuid", ada.metadata["purchase_id"]
    )
