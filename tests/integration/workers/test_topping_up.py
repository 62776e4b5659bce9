"""Goal: credits that run low are bought once, whoever asks how often, and a decline is told to all who must know.

The rounds of workers are moved by hand here; Stripe's stand-in, the database, the broker and the ledger are real.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest

from ops.fakes.stripe.running import StandIn
from ops.instance import Instance
from tests.e2e.client import Client
from tests.integration.workers.events import Subscriber
from tests.integration.workers.payments import Seller, selling
from tests.integration.workers.running import until
from tests.integration.workers.topups import (
    BELOW,
    Saver,
    Worker,
    claw_back,
    pay,
    saver,
    tell_failures,
    tell_stops,
    topping_up,
)
from workers.payments.pauses import pause_after

pytestmark = pytest.mark.usefixtures("worker")

NOBODY = "00000000-0000-0000-0000-000000000000"
KNOWN = "money_back = ARRAY(SELECT fact FROM credits.money_back AS known WHERE known.account_id = topups.account_id)"
HOUR_23 = "begun_at = begun_at - interval '23 hours', due_at = now()"


@pytest.fixture
async def seller(servers: Instance, stand_in: StandIn, client: Client) -> AsyncGenerator[Seller]:
    async with selling(servers, stand_in.url, client) as one:
        yield one
        await one.remote.switch(answers_lost=0, answers_failed=0)
        await one.owner.execute("DELETE FROM credits.topups")


@pytest.fixture
async def worker_by_hand(servers: Instance, stand_in: StandIn) -> AsyncGenerator[Worker]:
    async with topping_up(servers, stand_in.url) as (one,):
        yield one


async def test_many_workers_at_once_make_one_payment(servers: Instance, stand_in: StandIn, seller: Seller) -> None:
    ada = await saver(seller)
    async with topping_up(servers, stand_in.url, 20) as workers:
        await asyncio.gather(*(one.round() for one in workers))
        await asyncio.gather(*(one.round() for one in workers))
        begun = sum(one.counted("mana_topups_total", step="begun") for one in workers)
    (charge,) = await ada.charges()
    payment = await ada.payment()
    assert charge["metadata"] == {"purchase_id": str(payment["purchase_id"]), "user_id": ada.user}
    assert (charge["amount"], charge["currency"], charge["status"]) == (500, "eur", "succeeded")
    assert (payment["state"], payment["stripe_payment_intent_id"], payment["tries"]) == ("waiting", charge["id"], 1)
    assert (await ada.purchases(), begun) == (["pending"], 1)


async def test_the_next_one_begins_when_the_credits_are_there_and_used_up(
    seller: Seller, worker_by_hand: Worker
) -> None:
    ada = await saver(seller)
    await worker_by_hand.round()
    await pay(ada, worker_by_hand)
    await worker_by_hand.round()
    assert (await ada.topup())["purchase_id"] is None
    assert ((await ada.payment())["state"], await ada.balance()) == ("over", 650)
    await worker_by_hand.round()
    assert await ada.purchases() == ["completed"]
    await seller.client.use(ada.user, 500)
    await worker_by_hand.round()
    assert await ada.purchases() == ["completed", "pending"]
    assert worker_by_hand.counted("mana_topups_total", step="paid") == 1


async def test_so_many_a_month_and_no_more(seller: Seller, worker_by_hand: Worker) -> None:
    ada = await saver(seller, most_per_month=1)
    await worker_by_hand.round()
    await pay(ada, worker_by_hand)
    await seller.client.use(ada.user, 500)
    await worker_by_hand.round()
    assert not await _is_due(ada, worker_by_hand)
    await ada.change("created_at = date_trunc('month', now(), 'UTC') - interval '1 s'", "purchases")
    assert await _is_due(ada, worker_by_hand)
    await ada.change("created_at = date_trunc('month', now(), 'UTC')", "purchases")
    assert not await _is_due(ada, worker_by_hand)
    await ada.change("origin = 'checkout'", "purchases")
    assert await _is_due(ada, worker_by_hand)


@pytest.mark.parametrize("reason", ["refund", "dispute"])
async def test_money_that_goes_back_is_not_charged_again(
    seller: Seller, worker_by_hand: Worker, events: Subscriber, reason: str
) -> None:
    ada = await saver(seller)
    await worker_by_hand.round()
    await pay(ada, worker_by_hand)
    await worker_by_hand.round()
    bought = str((await ada.payment())["purchase_id"])
    await claw_back(ada, worker_by_hand, reason, f"made_{ada.user[:8]}")
    assert await ada.balance() < BELOW
    assert not await worker_by_hand.store.begin(ada.user), "nor before it is switched off"
    await worker_by_hand.round()
    await worker_by_hand.round()
    assert (len(await ada.charges()), len(await ada.purchases())) == (1, 1)
    topup = await ada.topup()
    assert (topup["enabled"], topup["disabled_reason"], topup["purchase_id"]) == (False, reason, None)
    assert [mail["kind"] for mail in await ada.mails()] == ["topup_stopped"]
    assert worker_by_hand.counted("mana_topups_total", step="stopped") == 1

    await worker_by_hand.telling.round()
    await tell_stops(ada, worker_by_hand)
    (told,) = [one for one in await events.has(ada.user, 4) if one["type"] == "credits.topup_failed"]
    assert told["data"] == {"purchaseId": bought, "packageId": "credits-500", "reason": reason}

    await ada.change(f"enabled = true, disabled_reason = NULL, {KNOWN}")
    await worker_by_hand.round()
    assert (len(await ada.charges()), (await ada.purchases())[-1]) == (2, "pending")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ('refunds = \'{"re_1": [500, "pending"]}\'', "refund"),
        ('disputes = \'{"dp_1": [500, "lost"]}\', refunds = \'{"re_1": [1, "succeeded"]}\'', "dispute"),
        ('refunds = \'{"re_1": [500, "failed"]}\', disputes = \'{"dp_1": [500, "won"]}\'', None),
    ],
)
async def test_what_counts_as_money_that_goes_back(
    seller: Seller, worker_by_hand: Worker, facts: str, reason: str | None
) -> None:
    ada = await saver(seller)
    await seller.begin(ada.user)
    await ada.change(facts, "purchases")
    assert await _is_due(ada, worker_by_hand) == (reason is None)
    await worker_by_hand.looking.look()
    assert (await ada.topup())["disabled_reason"] == reason
    await ada.change(f"enabled = true, disabled_reason = NULL, {KNOWN}")
    assert not await worker_by_hand.store.stop(ada.user)
    await ada.change('disputes = disputes || \'{"dp_2": [1, "open"]}\'', "purchases")
    assert await worker_by_hand.store.stop(ada.user)


async def test_one_worker_looks_at_a_time_and_through_all_in_order(
    servers: Instance, stand_in: StandIn, seller: Seller
) -> None:
    users = sorted([(await saver(seller)).user for _ in range(2)])
    async with topping_up(servers, stand_in.url, 2) as (one, another):
        assert await one.store.find_due(NOBODY, live=False, most=1) == users[:1]
        assert await one.store.find_due(users[0], live=False, most=1) == users[1:]
        assert await one.store.find_due(users[1], live=False, most=1) == []
        await seller.owner.execute("UPDATE credits.topup_rounds SET due_at = now(), ended_at = NULL")
        assert await one.store.take_turn(live=False, lease=timedelta(minutes=1))
        await another.looking.round()
        assert another.counted("mana_topups_looked_timestamp_seconds") == 0
        assert await one.store.find_due(NOBODY, live=False, most=9) == users
        await one.store.end_turn(live=False, pause=timedelta(0))
        await another.looking.round()
        ended = await another.store.last_turn(live=False)
        assert ended is not None
        assert another.counted("mana_topups_looked_timestamp_seconds") == ended.timestamp()
        assert await one.store.find_due(NOBODY, live=False, most=9) == []
        assert not await one.store.take_turn(live=False, lease=timedelta(minutes=1)), "the pause is not over"


async def test_one_that_the_database_does_not_take_keeps_no_others_waiting(
    seller: Seller, worker_by_hand: Worker
) -> None:
    savers = sorted([await saver(seller) for _ in range(2)], key=lambda one: one.user)
    check = f"CHECK (account_id <> '{savers[0].user}')"
    await seller.owner.execute(f"ALTER TABLE credits.topup_payments ADD CONSTRAINT poison {check}")
    try:
        await worker_by_hand.looking.look()
    finally:
        await seller.owner.execute("ALTER TABLE credits.topup_payments DROP CONSTRAINT poison")
    assert [await one.purchases() for one in savers] == [[], ["pending"]]
    assert worker_by_hand.counted("mana_topup_alarms_raised_total") == 1


@pytest.mark.parametrize(
    "first_lock",
    [
        "SELECT FROM auth.users WHERE id = $1::text::uuid FOR UPDATE",
        "DELETE FROM credits.topups WHERE account_id = $1::text::uuid",
    ],
)
async def test_a_decline_and_a_deletion_wait_for_each_other_in_one_order(
    seller: Seller, worker_by_hand: Worker, first_lock: str
) -> None:
    """A deletion locks the user, then the top-up, then its payments: a decline comes before all of it, or after."""
    ada = await saver(seller)
    await worker_by_hand.round()
    purchase = str((await ada.payment())["purchase_id"])
    async with seller.owner.transaction():
        await seller.owner.execute(first_lock, ada.user)
        failing = asyncio.create_task(worker_by_hand.store.fail(purchase, None, "declined"))

        async def is_waiting() -> bool:
            blocked = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"
            return await seller.owner.fetchval(blocked) == 1

        await until(is_waiting, "the decline waits for the deletion")
        await seller.owner.execute("INSERT INTO auth.erasures (user_id) VALUES ($1::text::uuid)", ada.user)
    assert not await failing
    assert await ada.mails() == []
    await seller.owner.execute("DELETE FROM auth.erasures WHERE user_id = $1::text::uuid", ada.user)


@pytest.mark.parametrize(
    ("table", "assignments"),
    [
        ("topups", f"below = {BELOW - 1}"),
        ("topups", "enabled = false"),
        ("topups", "livemode = true"),
        ("topups", "package_id = 'gone'"),
        ("topups", "purchase_id = gen_random_uuid()"),
        ("balances", "frozen = true"),
        ("customers", "livemode = true"),
        ("suspensions", ""),
    ],
)
async def test_who_is_not_charged(seller: Seller, worker_by_hand: Worker, table: str, assignments: str) -> None:
    ada = await saver(seller)
    assert await _is_due(ada, worker_by_hand)
    await seller.owner.execute(
        "INSERT INTO credits.packages (id, name, description, credits, price_euro_cents, sort_order, active)"
        " VALUES ('gone', 'n', 'd', 500, 500, 9, false) ON CONFLICT DO NOTHING"
    )
    if table == "suspensions":
        await seller.owner.execute("INSERT INTO credits.suspensions VALUES ($1::text::uuid, 'banned')", ada.user)
    else:
        await ada.change(assignments, table)
    assert not await _is_due(ada, worker_by_hand)
    assert not await worker_by_hand.store.begin(ada.user)
    assert await ada.purchases() == []


async def test_a_lost_answer_is_asked_for_again_and_is_the_same_payment(
    servers: Instance, stand_in: StandIn, seller: Seller, worker_by_hand: Worker
) -> None:
    ada = await saver(seller)
    await seller.remote.switch(answers_lost=3)
    await worker_by_hand.round()
    payment = await ada.payment()
    assert (payment["state"], payment["stripe_payment_intent_id"]) == ("asking", None)
    assert len(await ada.charges()) == 1
    assert payment["due_at"] >= payment["begun_at"] + pause_after(1)
    await ada.change("due_at = now() + interval '1 hour'", "topup_payments")
    await worker_by_hand.round()
    assert (await ada.payment())["tries"] == 1
    await ada.change("due_at = now()", "topup_payments")
    async with topping_up(servers, stand_in.url) as (another,):
        await another.charging.round()
    (charge,) = await ada.charges()
    payment = await ada.payment()
    assert (payment["state"], payment["stripe_payment_intent_id"], payment["tries"]) == ("waiting", charge["id"], 2)
    assert await ada.purchases() == ["pending"]


async def test_what_was_begun_and_never_asked_for_is_asked_for(seller: Seller, worker_by_hand: Worker) -> None:
    """As after a crash between the transaction and the request."""
    ada = await saver(seller)
    assert await worker_by_hand.store.begin(ada.user)
    assert await ada.charges() == []
    await worker_by_hand.round()
    assert len(await ada.charges()) == 1


async def test_a_key_that_stripe_may_have_forgotten_is_used_no_more(seller: Seller, worker_by_hand: Worker) -> None:
    ada = await saver(seller)
    assert await worker_by_hand.store.begin(ada.user)
    await ada.change(HOUR_23, "topup_payments")
    await worker_by_hand.round()
    await worker_by_hand.round()
    payment = await ada.payment()
    assert (payment["state"], payment["tries"]) == ("stuck", 1)
    assert (await ada.charges(), await ada.purchases()) == ([], ["pending"])
    assert worker_by_hand.counted("mana_topup_alarms_raised_total") == 1
    assert worker_by_hand.counted("mana_topups_open", state="stuck") == 1
    await worker_by_hand.store.fail(str(payment["purchase_id"]), None, "called_off")


async def test_a_decline_switches_it_off_and_is_told_once_the_broker_is_there(
    seller: Seller, worker_by_hand: Worker, events: Subscriber
) -> None:
    ada = await saver(seller)
    await seller.remote.decline(ada.card, "insufficient_funds")
    await worker_by_hand.round()
    topup, payment, (charge,) = await ada.topup(), await ada.payment(), await ada.charges()
    assert (topup["enabled"], topup["disabled_reason"]) == (False, "insufficient_funds")
    assert (payment["state"], payment["stripe_payment_intent_id"]) == ("failed", charge["id"])
    (mail,) = await ada.mails()
    assert (mail["kind"], mail["id"], mail["credential_epoch"]) == ("topup_failed", payment["purchase_id"], 0)

    await worker_by_hand.telling.round()
    await worker_by_hand.round()
    assert (await ada.payment())["told_at"] is None
    assert (await ada.topup())["purchase_id"] == payment["purchase_id"]

    await tell_failures(ada, worker_by_hand)
    await worker_by_hand.round()
    assert ((await ada.payment())["state"], (await ada.topup())["purchase_id"]) == ("over", None)
    assert len(await ada.mails()) == 1
    (told,) = [one for one in await events.has(ada.user, 2) if one["type"] == "credits.topup_failed"]
    purchase = str(payment["purchase_id"])
    assert told["data"] == {"purchaseId": purchase, "packageId": "credits-500", "reason": "insufficient_funds"}
    assert "credits.topup_failed.system" in events.keys
    assert await ada.keys() == {f"stripe:purchase_failed:{charge['id']}"}

    await seller.remote.decline(ada.card, None)
    await ada.change("enabled = true, disabled_reason = NULL")
    await worker_by_hand.round()
    assert await ada.purchases() == ["failed", "pending"]


async def test_a_card_that_wants_its_owner_to_be_there(seller: Seller, worker_by_hand: Worker) -> None:
    ada = await saver(seller, "pm_card_authenticationRequired")
    await worker_by_hand.round()
    assert (await ada.topup())["disabled_reason"] == "authentication_required"


async def test_a_request_that_never_became_a_payment_fails_by_the_purchases_id(
    seller: Seller, worker_by_hand: Worker
) -> None:
    ada = await saver(seller)
    await ada.change("stripe_customer_id = 'cus_gone'", "customers")
    await worker_by_hand.round()
    payment = await ada.payment()
    assert (payment["stripe_payment_intent_id"], payment["reason"]) == (None, "resource_missing")
    await tell_failures(ada, worker_by_hand)
    assert await ada.keys() == {f"stripe:purchase_failed:{payment['purchase_id']}"}
    assert worker_by_hand.counted("mana_topup_alarms_raised_total") == 0


async def test_a_payment_that_fails_later_ends_in_the_same_way(seller: Seller, worker_by_hand: Worker) -> None:
    """An event has told the ledger; why, Stripe is asked."""
    ada = await saver(seller)
    await worker_by_hand.round()
    payment = await ada.payment()
    await ada.change("status = 'failed'", "purchases")
    await seller.remote.decline(ada.card, "expired_card")
    wish = {"amount": "500", "currency": "eur", "customer": ada.customer, "payment_method": ada.card}
    wish |= {"confirm": "true", "off_session": "true"}
    declined = await seller.stripe.post("/v1/payment_intents", data=wish)
    late = declined.json()["error"]["payment_intent"]["id"]
    await ada.change(f"stripe_payment_intent_id = '{late}'", "topup_payments")
    await worker_by_hand.round()
    topup = await ada.topup()
    assert (topup["enabled"], topup["disabled_reason"]) == (False, "expired_card")
    assert [mail["id"] for mail in await ada.mails()] == [payment["purchase_id"]]


async def test_a_user_who_is_deleted_is_charged_no_more(seller: Seller, worker_by_hand: Worker) -> None:
    ada = await saver(seller)
    assert await worker_by_hand.store.begin(ada.user)
    await seller.owner.execute("INSERT INTO auth.erasures (user_id) VALUES ($1::text::uuid)", ada.user)
    await worker_by_hand.round()
    assert await ada.charges() == []
    await seller.owner.execute("DELETE FROM auth.erasures WHERE user_id = $1::text::uuid", ada.user)


async def _is_due(ada: Saver, worker: Worker) -> bool:
    return ada.user in await worker.store.find_due(NOBODY, live=False, most=100)
