"""Refunds that administrators ask for: once, and never more than was paid."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from ops.fakes.stripe.remote import Remote
from ops.fakes.stripe.running import running
from ops.instance import Instance
from tests.integration.api.administrators import ADMIN, acts_on, administrator
from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.payments.paying import pay
from tests.integration.api.payments.shop import KEY, PRICE, Buyer, Shop
from tests.integration.api.process import another_front
from tests.integration.api.users import SignedIn, assert_problem, fields


@pytest.fixture
async def support(shop: Shop, ledger: ScriptedLedger, owner: asyncpg.Connection) -> SignedIn:
    """An administrator."""
    assert ledger.opens
    return await administrator(shop.http, owner)


class Case:
    """A paid purchase, and who may give it back."""

    def __init__(self, shop: Shop, support: SignedIn, buyer: Buyer, purchase: str, intent: str) -> None:
        self.shop, self.support, self.buyer, self.purchase, self.intent = shop, support, buyer, purchase, intent

    async def ask(self, key: str | None = None, **body: Any) -> httpx.Response:
        """What a refund is answered."""
        headers = self.support.headers if key is None else {**self.support.headers, "Idempotency-Key": key}
        return await self.shop.http.post(f"{ADMIN}/purchases/{self.purchase}/refund", json=body, headers=headers)

    async def give_back(self, key: str | None = None, **body: Any) -> dict[str, Any]:
        """The same where it succeeds."""
        answer = await self.ask(key, **body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return answer.json()["refund"]

    async def at_stripe(self) -> list[int]:
        """Amounts of the refunds that Stripe knows, the newest first."""
        found = await self.shop.at_stripe("refunds", payment_intent=self.intent)
        return [refund["amount"] for refund in found["data"]]


@pytest.fixture
async def case(shop: Shop, support: SignedIn, buyer: Buyer) -> Case:
    """A purchase that is paid."""
    opened = await buyer.buy()
    intent = await pay(shop.owner, opened)
    return Case(shop, support, buyer, opened["purchase"]["id"], intent)


async def test_all_is_given_back_once(case: Case) -> None:
    first = await case.give_back(reason="requested_by_customer")
    assert (first["amount"], first["currency"], first["status"]) == (PRICE, "eur", "succeeded")
    assert await case.give_back(reason="requested_by_customer") == first
    assert await case.at_stripe() == [PRICE]
    kept = await case.shop.at_stripe(f"refunds/{first['id']}")
    assert kept["metadata"] == {
        "purchase_id": case.purchase, "user_id": case.buyer.user.id, "refund_key": "a:full", "refund_asked": "full"
    }  # fmt: skip
    assert fields(assert_problem(await case.ask("another"), 422, "invalid_request")) == ["purchaseId"]
    assert_problem(await case.ask(reason="duplicate"), 409, "idempotency_conflict")
    assert await acts_on(case.shop.owner, case.buyer.user, case.support) == ["admin.refund_asked"] * 4
    (purchase,) = await case.buyer.purchases()
    assert purchase["status"] == "completed"


async def test_parts_and_then_the_rest(case: Case) -> None:
    first = await case.give_back("k1", amount=1_000)
    assert await case.give_back("k1", amount=1_000) == first
    assert (await case.give_back("k2", amount=1_000))["id"] != first["id"]
    assert fields(assert_problem(await case.ask(amount=401), 422, "invalid_request")) == ["amount"]
    assert (await case.give_back())["amount"] == 400
    assert await case.at_stripe() == [400, 1_000, 1_000]


async def test_days_later_it_is_the_same_refund(
    servers: Instance, logs: Path, shop: Shop, support: SignedIn, buyer: Buyer
) -> None:
    """Stripe has forgotten the idempotency keys by then."""
    async with running(logs / "stripe-later.log", "--key", KEY) as later, Remote(later.url) as remote:
        settings = {"STRIPE_SECRET_KEY": KEY, "STRIPE_API_URL": later.url}
        stripe = httpx.AsyncClient(base_url=later.url, auth=httpx.BasicAuth(KEY, ""))
        async with another_front(servers, logs, **settings) as (process, http), stripe:
            there = Buyer(Shop(process, http, remote, stripe, shop.owner), buyer.user)
            opened = await there.buy()
            intent = await pay(shop.owner, opened)
            case = Case(there.shop, support, there, opened["purchase"]["id"], intent)
            part = await case.give_back("k", amount=1_000)
            own = await case.give_back(amount=500)
            rest = await case.give_back(reason="duplicate")
            await remote.advance(86_401)
            assert await case.give_back("k", amount=1_000) == part
            assert await case.give_back(amount=500) == own
            assert await case.give_back(reason="duplicate") == rest
            assert_problem(await case.ask("k", amount=999), 409, "idempotency_conflict")
            assert_problem(await case.ask("k", amount=1_000, reason="duplicate"), 409, "idempotency_conflict")
            assert fields(assert_problem(await case.ask("a:500", amount=500), 422, "invalid_request")) == ["purchaseId"]
            assert await case.at_stripe() == [900, 500, 1_000]
            await remote.settle_refund(part["id"], "failed")
            assert (await case.give_back("k", amount=1_000))["status"] == "failed"
            assert (await case.give_back(amount=400))["amount"] == 400


async def test_a_refund_that_failed_is_asked_for_anew(case: Case) -> None:
    first = await case.give_back()
    await case.shop.remote.settle_refund(first["id"], "failed")
    second = await case.give_back()
    assert second["id"] != first["id"]
    assert await case.give_back() == second
    assert len(await case.at_stripe()) == 2


async def test_a_refusal_that_stripe_remembers_does_not_last(case: Case) -> None:
    first = await case.give_back("k")
    assert fields(assert_problem(await case.ask(), 422, "invalid_request")) == ["purchaseId"]
    await case.shop.remote.settle_refund(first["id"], "failed")
    assert (await case.give_back())["amount"] == PRICE
    assert len(await case.at_stripe()) == 2


async def test_what_is_disputed_is_given_back_by_the_bank(case: Case) -> None:
    await case.shop.remote.dispute(case.intent)
    problem = assert_problem(await case.ask(), 422, "invalid_request")
    assert (fields(problem), await case.at_stripe()) == (["purchaseId"], [])


async def test_a_refund_whose_answer_is_lost_is_one(case: Case) -> None:
    await case.shop.remote.switch(answers_lost=1)
    assert (await case.give_back())["amount"] == PRICE
    assert await case.at_stripe() == [PRICE]


@pytest.mark.parametrize(
    ("body", "field"),
    [({"amount": 0}, "amount"), ({"amount": "5"}, "amount"), ({"reason": "spite"}, "reason"), ({"all": 1}, "all")],
)
async def test_what_is_no_refund(case: Case, body: dict[str, Any], field: str) -> None:
    assert fields(assert_problem(await case.ask(**body), 422, "invalid_request")) == [field]


async def test_what_cannot_be_given_back(shop: Shop, support: SignedIn, buyer: Buyer) -> None:
    opened = await buyer.buy()
    unpaid = Case(shop, support, buyer, opened["purchase"]["id"], "")
    assert fields(assert_problem(await unpaid.ask(), 422, "invalid_request")) == ["purchaseId"]
    nobodys = Case(shop, support, buyer, str(uuid4()), "")
    assert_problem(await nobodys.ask(), 404, "not_found")
    assert_problem(await Case(shop, buyer.user, buyer, unpaid.purchase, "").ask(), 403, "forbidden")


async def test_support_sees_the_whole_purchase(case: Case) -> None:
    await case.shop.owner.execute(
        'UPDATE credits.purchases SET refunds = \'{"re_1": [100, "succeeded"]}\', taken = 9,'
        ' disputes = \'{"dp_1": [300, "open"]}\', held = 7, debt = 2 WHERE id = $1::text::uuid',
        case.purchase,
    )
    url = f"{ADMIN}/purchases/{case.purchase}"
    answer = await case.shop.http.get(url, headers=case.support.headers)
    assert answer.status_code == 200, answer.text
    seen = answer.json()
    (shown,) = await case.buyer.purchases()
    assert {name: seen[name] for name in shown} == shown
    assert seen["userId"] == case.buyer.user.id
    assert (seen["amount"], seen["origin"], seen["paid"]) == (PRICE, "checkout", True)
    assert seen["refunds"] == [{"id": "re_1", "amount": 100, "state": "succeeded"}]
    assert seen["disputes"] == [{"id": "dp_1", "amount": 300, "state": "open"}]
    assert (seen["taken"], seen["debt"], seen["writtenOff"], seen["held"]) == (9, 2, 0, 7)
    assert await acts_on(case.shop.owner, case.buyer.user, case.support) == ["admin.viewed"]
    assert_problem(await case.shop.http.get(url, headers=case.buyer.user.headers), 403, "forbidden")
    missing = await case.shop.http.get(f"{ADMIN}/purchases/{uuid4()}", headers=case.support.headers)
    assert_problem(missing, 404, "not_found")


async def test_without_a_key_nothing_is_given_back(http: httpx.AsyncClient, case: Case) -> None:
    answer = await http.post(f"{ADMIN}/purchases/{case.purchase}/refund", json={}, headers=case.support.headers)
    assert_problem(answer, 503, "payments_disabled")
