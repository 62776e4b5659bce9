"""What Stripe tells becomes credits: once, whatever comes twice, late or wrong."""

from __future__ import annotations

import hashlib
import json
import random
import signal
from collections.abc import AsyncGenerator, Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ops.fakes.stripe.running import StandIn
from ops.instance import Instance
from tests.e2e.client import Client
from tests.integration.workers.events import Subscriber
from tests.integration.workers.payments import CREDITS, PRICE, Seller, event, payments_worker, selling, session_of
from tests.integration.workers.running import Running, until
from tests.integration.workers.topups import saver
from workers.payments.store import EventStore
from workers.payments.upkeep import BODY_LIFE

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(scope="module")
async def payments(servers: Instance, logs: Path, stand_in: StandIn) -> AsyncGenerator[Running]:
    async with payments_worker(servers, logs, stand_in.url) as process:
        yield process


@pytest.fixture
async def seller(servers: Instance, stand_in: StandIn, client: Client, payments: Running) -> AsyncGenerator[Seller]:
    async with selling(servers, stand_in.url, client) as one:
        yield one


async def test_a_payment_becomes_credits_once_however_often_it_is_told(seller: Seller, payments: Running) -> None:
    metadata = await seller.begin()
    intent = await seller.bought(metadata)
    told = await seller.happened(metadata["purchase_id"], intent)
    repeated = told * 3
    random.shuffle(repeated)
    await seller.tell(*repeated)
    rows = await seller.done(*(one["id"] for one in told))
    assert await seller.transactions(metadata) == [("purchase", CREDITS)]
    assert (await seller.purchase(metadata))["status"] == "completed"
    ends = {row["type"]: (row["outcome"], row["keys"]) for row in rows.values()}
    paid = ("done", [f"stripe:purchase:{intent}"])
    assert (ends["checkout.session.completed"], ends["payment_intent.succeeded"]) == (paid, paid)
    assert ends["charge.succeeded"] == ("ignored", None)
    row = rows[told[0]["id"]]
    assert (row["livemode"], row["created_at"].timestamp()) == (False, told[0]["created"])
    assert await payments.meter("mana_stripe_events_repeated_total") >= 2 * len(told)


async def test_a_refund_that_is_told_before_the_payment_is_asked_about(seller: Seller) -> None:
    metadata = await seller.begin()
    intent = await seller.bought(metadata)
    refund = await seller.refund(intent, PRICE // 2)
    told = await seller.happened(metadata["purchase_id"], intent)
    late = [one for one in told if one["type"].startswith(("checkout.", "payment_intent."))]
    early = [one for one in told if one not in late]
    assert {"refund.created", "charge.refunded"} <= {one["type"] for one in early}
    await seller.tell(*early)
    await seller.done(*(one["id"] for one in early))
    both = [("purchase", CREDITS), ("clawback", -CREDITS // 2)]
    assert await seller.transactions(metadata) == both
    await seller.tell(*late)
    rows = await seller.done(*(one["id"] for one in told))
    assert await seller.transactions(metadata) == both
    keys = [f"stripe:purchase:{intent}", f"stripe:refund:{refund}:succeeded"]
    assert {tuple(row["keys"]) for row in rows.values() if row["type"] == "charge.refunded"} == {tuple(keys)}


async def test_a_dispute_is_followed_to_its_end(seller: Seller) -> None:
    metadata = await seller.begin()
    intent = await seller.bought(metadata)
    dispute = (await seller.remote.dispute(intent))["id"]
    for act in ("submit", "win"):
        await seller.remote.act(dispute, act)
    told = await seller.happened(metadata["purchase_id"], intent)
    random.shuffle(told)
    await seller.tell(*told)
    rows = await seller.done(*(one["id"] for one in told))
    assert (await seller.purchase(metadata))["status"] == "completed"
    assert sum(amount for _, amount in await seller.transactions(metadata)) == CREDITS
    closed = next(row for row in rows.values() if row["type"] == "charge.dispute.closed")
    assert closed["keys"] == [f"stripe:purchase:{intent}", f"stripe:dispute:{dispute}:{PRICE}:won"]


async def test_what_is_not_ours_to_believe_is_refused_and_nothing_is_credited(
    seller: Seller, payments: Running
) -> None:
    metadata = await seller.begin()
    nobody = {**metadata, "purchase_id": metadata["user_id"]}
    refused: dict[str, dict[str, Any]] = {
        "mode": event("checkout.session.completed", session_of(metadata), livemode=True),
        "another account": event("checkout.session.completed", session_of(metadata), account="acct_1"),
        "not there": event("checkout.session.completed", session_of(nobody)),
        "amount_total": event("checkout.session.completed", session_of(metadata, amount_total="500")),
        "not as we do": event("checkout.session.completed", session_of({**metadata, "user_id": "me"})),
    }
    names = {one["id"] for one in refused.values()}
    before = await payments.meter("mana_stripe_alarms_raised_total")
    await seller.tell(*refused.values())
    rows = await seller.done(*names)
    await until(lambda: _all_told(payments, names), "an alarm for each", payments.log)
    for word, one in refused.items():
        row = rows[one["id"]]
        assert (row["outcome"], row["keys"]) == ("refused", None)
        assert word in row["reason"]
    assert await payments.meter("mana_stripe_alarms_raised_total") == before + len(refused)
    assert await seller.transactions(metadata) == []


async def test_what_is_no_event_is_kept_too_and_harms_no_other(seller: Seller) -> None:
    metadata = await seller.begin()
    good = event("checkout.session.completed", session_of(metadata))
    strange = event("radar.early_fraud_warning.created", {"id": "issfr_1"})
    bad = [b"", b"[]", b'{"id": "evt_\\u0000", "type": "x"}', b"\xff\xfe", b"[" * 5000, b'{"type": "no.id"}']
    await seller.tell(*bad, good, strange, *bad)
    rows = await seller.done(good["id"], strange["id"])
    assert rows[strange["id"]]["outcome"] == "ignored"
    assert await seller.transactions(metadata) == [("purchase", CREDITS)]

    async def all_there() -> bool:
        kept = await seller.owner.fetch("SELECT body, outcome FROM credits.stripe_events WHERE type = 'unreadable'")
        return sorted(row["body"] for row in kept if row["outcome"] == "refused") == sorted(bad)

    await until(all_there, "each is kept once")


async def test_one_that_the_database_does_not_take_harms_no_other(seller: Seller) -> None:
    """No such event is known; this one is made by a constraint."""
    poison, good = event("poison.event", {}), [event("product.updated", {}) for _ in range(20)]
    await seller.owner.execute("ALTER TABLE credits.stripe_events ADD CONSTRAINT poison CHECK (type <> 'poison.event')")
    try:
        await seller.tell(*good[:10], poison, *good[10:])
        await seller.done(*(one["id"] for one in good))
        digest = hashlib.sha256(json.dumps(poison).encode()).hexdigest()
        rows = await seller.done(f"unreadable:{digest}")
    finally:
        await seller.owner.execute("ALTER TABLE credits.stripe_events DROP CONSTRAINT poison")
    (row,) = rows.values()
    assert (row["outcome"], row["body"]) == ("refused", json.dumps(poison).encode())
    assert "cannot be kept" in row["reason"]


async def test_bodies_are_forgotten_when_they_are_old_and_done(seller: Seller, servers: Instance) -> None:
    old, young, waiting = (event("charge.dispute.created", {}) for _ in range(3))
    names = [one["id"] for one in (old, young, waiting)]
    await seller.tell(old, young, waiting)
    await seller.done(*names)
    change = "UPDATE credits.stripe_events SET done_at = {} WHERE id = $1"
    await seller.owner.execute(change.format("now() - interval '36 days'"), old["id"])
    await seller.owner.execute(change.format("now() - interval '34 days'"), young["id"])
    await seller.owner.execute(change.format("NULL, received_at = now() - interval '99 days'"), waiting["id"])
    store = EventStore(servers.addresses.database_as("mana_payments"), application_name="a-test")
    await store.forget_bodies(BODY_LIFE, 1000)
    await store.close()
    rows = await seller.rows(names)
    assert [rows[name]["body"] is None for name in names] == [True, False, False]
    await seller.owner.execute("DELETE FROM credits.stripe_events WHERE id = ANY ($1)", names)


async def test_an_event_whose_body_was_forgotten_is_refused_and_harms_no_other(seller: Seller) -> None:
    """One of months ago that somebody let be worked off again."""
    old, good = event("refund.created", {}), event("product.updated", {})
    await seller.tell(old)
    await seller.done(old["id"])
    again = "SET body = NULL, done_at = NULL, outcome = NULL, reason = NULL, due_at = now() WHERE id = $1"
    await seller.owner.execute(f"UPDATE credits.stripe_events {again}", old["id"])
    rows = await seller.done(old["id"])
    assert rows[old["id"]]["outcome"] == "refused"
    assert "its body was forgotten" in rows[old["id"]]["reason"]
    await seller.tell(good)
    await seller.done(good["id"])


@pytest.mark.parametrize("wrong", [{"amount_total": PRICE - 1}, {"currency": "usd"}])
async def test_money_that_is_not_the_price_credits_nothing_and_raises_an_alarm(
    seller: Seller, payments: Running, wrong: dict[str, Any]
) -> None:
    metadata = await seller.begin()
    told = event("checkout.session.completed", session_of(metadata, **wrong))
    await seller.tell(told)

    async def alarmed() -> bool:
        row = (await seller.rows([told["id"]])).get(told["id"])
        return row is not None and row["reason"] is not None

    await until(alarmed, "there is an alarm")
    row = (await seller.rows([told["id"]]))[told["id"]]
    assert (row["done_at"], row["outcome"]) == (None, None)
    assert "invalid_request" in row["reason"]
    assert row["due_at"].timestamp() - row["received_at"].timestamp() > 3000
    assert await seller.transactions(metadata) == []
    await until(lambda: _all_told(payments, {told["id"]}), "it is told", payments.log)
    await until(lambda: _at_least(payments, "mana_stripe_alarms", 1), "the gauge shows it")
    await seller.owner.execute("DELETE FROM credits.stripe_events WHERE id = $1", told["id"])


async def test_a_payment_that_is_refused_is_one_alarm_however_many_events_tell_of_it(
    seller: Seller, payments: Running
) -> None:
    metadata = await seller.begin()
    session = session_of(metadata, amount_total=PRICE - 1)
    kinds = ["completed", "async_payment_succeeded", "completed", "completed"]
    told = [event(f"checkout.session.{kind}", session) for kind in kinds]
    names = [one["id"] for one in told]

    async def refused(number: int, tries: int) -> None:
        """So many of them, after so many sendings."""

        async def look() -> bool:
            rows = (await seller.rows(names[:number])).values()
            waiting = [row for row in rows if row["tries"] >= tries and "refused" in (row["reason"] or "")]
            return len([row for row in waiting if row["due_at"] > row["received_at"] + timedelta(minutes=50)]) == number

        await until(look, f"{number} are refused", payments.log)

    def alarms() -> list[tuple[str, str]]:
        return [(line["event_id"], line["kind"]) for line in payments.output if line.get("event_id") in names]

    async def twice() -> bool:
        return len(alarms()) >= 2

    await seller.tell(told[0])
    await refused(1, 1)
    await seller.tell(*told[1:3])
    await refused(3, 1)
    again = "UPDATE credits.stripe_events SET due_at = now(), tries = $2 WHERE id = ANY ($1)"
    await seller.owner.execute(again, names[:3], 10)
    await refused(3, 11)
    await until(twice, "it is told again", payments.log)
    await seller.tell(told[3])
    await refused(4, 1)
    assert alarms() == [(names[0], "ledger")] * 2
    await seller.owner.execute("DELETE FROM credits.stripe_events WHERE id = ANY ($1)", names)


async def _all_told(process: Running, names: Collection[str]) -> bool:
    """Whether the log has an error of each: it is written behind the commit."""
    return {*names} <= {line.get("event_id") for line in process.output if line.get("level") == "error"}


async def _at_least(process: Running, meter: str, number: float) -> bool:
    return await process.meter(meter) >= number


async def test_credits_that_run_low_are_bought_and_a_decline_is_told(seller: Seller, events: Subscriber) -> None:
    ada, bob = await saver(seller), await saver(seller)
    await seller.remote.decline(bob.card, "insufficient_funds")
    await ada.is_looked_at()
    await until(ada.is_taken_on, "Stripe has taken it on")
    await ada.tell()
    await ada.ends("completed")
    await bob.ends("failed")
    assert await seller.transactions({"user_id": ada.user}) == [("purchase", CREDITS)]
    assert (await bob.topup())["disabled_reason"] == "insufficient_funds"
    assert [mail["kind"] for mail in await bob.mails()] == ["topup_failed"]
    assert sorted(one["type"] for one in await events.has(ada.user, 2)) == ["credits.granted", "credits.purchased"]
    assert sorted(one["type"] for one in await events.has(bob.user, 2)) == ["credits.granted", "credits.topup_failed"]


@pytest.mark.slow
async def test_a_worker_that_is_killed_while_stripe_is_asked_leaves_one_payment(
    servers: Instance, logs: Path, stand_in: StandIn, seller: Seller
) -> None:
    """Several times, since it is by chance which of the two workers asks."""
    await seller.remote.switch(answer_delay_seconds=0.3)
    for _ in range(6):
        async with payments_worker(servers, logs, stand_in.url) as another:
            ada = await saver(seller)
            await ada.is_looked_at()
            await until(ada.is_asked_for, "Stripe is asked")
            another.signal(signal.SIGKILL)
            await another.child.wait()
        await ada.change("due_at = now()", "topup_payments")
        await until(ada.is_taken_on, "Stripe has taken it on")
        assert len(await ada.charges()) == 1
        await ada.tell()
        await ada.ends("completed")
        assert await seller.transactions({"user_id": ada.user}) == [("purchase", CREDITS)]
    await seller.remote.switch(answer_delay_seconds=0)
