"""From a click to the address where it is paid: one purchase and one session, whatever is lost on the way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from ops.fakes.stripe.running import StandIn
from ops.instance import Instance
from tests.integration.api.payments.shop import KEY, PACKAGE, PRICE, PURCHASES, Buyer, Shop
from tests.integration.api.process import another_front
from tests.integration.api.users import BASE, SignedIn, assert_problem, fields, sign_up

OTHER_PACKAGE = "credits-1000"


async def test_a_click_leads_to_stripe(shop: Shop, buyer: Buyer) -> None:
    answer = await buyer.click(successUrl="https://app.example/done?s={CHECKOUT_SESSION_ID}", savePaymentMethod=True)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    opened = answer.json()
    purchase = opened["purchase"]
    assert await buyer.purchases() == [purchase]
    assert (purchase["status"], purchase["packageId"], purchase["credits"]) == ("pending", PACKAGE, 2500)
    (session,) = await buyer.sessions()
    assert opened["checkoutUrl"] == session["url"]
    assert purchase["stripeCheckoutSessionId"] == session["id"]
    assert (session["amount_total"], session["currency"]) == (PRICE, "eur")
    assert session["client_reference_id"] == purchase["id"]
    assert session["metadata"] == {"purchase_id": purchase["id"], "user_id": buyer.user.id}
    assert session["customer"] == await buyer.customer()
    assert session["success_url"] == "https://app.example/done?s={CHECKOUT_SESSION_ID}"
    assert session["cancel_url"].endswith("/purchases/cancelled")
    created = await shop.owner.fetchval(
        "SELECT extract(epoch FROM created_at)::bigint - 1 FROM credits.purchases WHERE id = $1::text::uuid",
        purchase["id"],
    )
    assert session["expires_at"] - created in range(3_600, 3_602)
    assert await shop.remote.pay(session["id"]) is None
    paid = await shop.at_stripe(f"checkout/sessions/{session['id']}")
    intent = await shop.at_stripe(f"payment_intents/{paid['payment_intent']}")
    assert intent["metadata"] == session["metadata"]
    assert intent["setup_future_usage"] == "off_session"
    customer = await shop.at_stripe(f"customers/{session['customer']}")
    assert (customer["email"], customer["metadata"]) == (buyer.user.email, {"user_id": buyer.user.id})


async def test_the_pages_of_our_own(shop: Shop, buyer: Buyer) -> None:
    await buyer.buy()
    (session,) = await buyer.sessions()
    for url in (session["success_url"], session["cancel_url"]):
        answer = await shop.http.get(httpx.URL(url).path)
        assert answer.status_code == 200
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "<script" not in answer.text


async def test_a_double_click_is_one_purchase(buyer: Buyer) -> None:
    first = await buyer.buy()
    assert await buyer.buy() == first
    assert len(await buyer.sessions()) == 1
    other = await buyer.buy(packageId=OTHER_PACKAGE)
    assert other["purchase"]["id"] != first["purchase"]["id"]
    assert (await buyer.buy(savePaymentMethod=True))["purchase"]["id"] != first["purchase"]["id"]


@pytest.mark.parametrize("key", [None, "k"])
async def test_twenty_clicks_at_once_are_one_purchase(buyer: Buyer, key: str | None) -> None:
    for number, package in enumerate(("credits-500", OTHER_PACKAGE, PACKAGE), 1):
        own = key and f"{key}{number}"
        opened = await asyncio.gather(*(buyer.buy(own, packageId=package) for _ in range(20)))
        assert len({(each["purchase"]["id"], each["checkoutUrl"]) for each in opened}) == 1
        assert (len(await buyer.sessions()), len(await buyer.purchases())) == (number, number)


async def test_a_click_long_afterwards_is_another_purchase(shop: Shop, buyer: Buyer) -> None:
    first = await buyer.buy()
    await _age(shop, buyer, "24 minutes")
    assert (await buyer.buy())["purchase"]["id"] == first["purchase"]["id"]
    await _age(shop, buyer, "2 minutes")
    assert (await buyer.buy())["purchase"]["id"] != first["purchase"]["id"]


async def test_a_declined_card_leads_to_the_same_page(shop: Shop, buyer: Buyer) -> None:
    first = await buyer.buy()
    session = first["purchase"]["stripeCheckoutSessionId"]
    assert await shop.remote.pay(session, "4000000000000002") is not None
    await _write(shop, first, "UPDATE credits.purchases SET status = 'failed' WHERE id = $1::text::uuid")
    again = await buyer.buy()
    assert (again["purchase"]["id"], again["purchase"]["status"]) == (first["purchase"]["id"], "failed")
    assert again["checkoutUrl"] == first["checkoutUrl"]
    assert (await shop.at_stripe(f"checkout/sessions/{session}"))["status"] == "open"
    assert len(await buyer.sessions()) == 1
    await _age(shop, buyer, "26 minutes")
    later = await buyer.buy()
    assert later["purchase"]["id"] != first["purchase"]["id"]


async def test_a_session_that_is_over_is_paid_by_nobody(shop: Shop, buyer: Buyer) -> None:
    first = await buyer.buy()
    await _write(shop, first, "UPDATE credits.purchases SET status = 'failed' WHERE id = $1::text::uuid")
    await _write(
        shop,
        first,
        "INSERT INTO credits.keys (account_id, idempotency_key, operation, balance, free_credits_remaining,"
        " total_earned, total_spent, created_at)"
        " SELECT account_id, 'stripe:purchase_failed:' || stripe_checkout_session_id, 'purchase', 0, 0, 0, 0, now()"
        " FROM credits.purchases WHERE id = $1::text::uuid",
    )
    assert (await buyer.buy())["purchase"]["id"] != first["purchase"]["id"]


async def test_a_key_is_of_one_purchase(shop: Shop, buyer: Buyer) -> None:
    first = await buyer.buy("k1")
    assert (await buyer.buy("k2"))["purchase"]["id"] != first["purchase"]["id"]
    assert_problem(await buyer.click("k1", packageId=OTHER_PACKAGE), 409, "idempotency_conflict")
    assert_problem(await buyer.click("k1", successUrl="https://app.example/"), 409, "idempotency_conflict")
    await _age(shop, buyer, "30 days")
    assert (await buyer.buy("k1"))["checkoutUrl"] == first["checkoutUrl"]
    somebody = Buyer(shop, await sign_up(shop.http))
    assert (await somebody.buy("k1"))["purchase"]["id"] != first["purchase"]["id"]


async def test_a_key_of_long_ago_whose_session_was_lost_is_not_paid_any_more(shop: Shop, buyer: Buyer) -> None:
    first = await buyer.buy("k")
    await _forget_session(shop, buyer)
    await _age(shop, buyer, "26 minutes")
    again = await buyer.buy("k")
    assert (again["purchase"]["id"], again["checkoutUrl"]) == (first["purchase"]["id"], None)


async def test_another_currency(shop: Shop, buyer: Buyer) -> None:
    await shop.owner.execute(
        "INSERT INTO credits.package_prices (package_id, currency, amount) VALUES ($1, 'usd', 2600)", PACKAGE
    )
    opened = await buyer.buy(currency="usd")
    purchase = opened["purchase"]
    assert (purchase["amount"], purchase["currency"], purchase["priceEuroCents"]) == (2600, "usd", PRICE)
    assert await buyer.purchases() == [purchase]
    (session,) = await buyer.sessions()
    assert (session["amount_total"], session["currency"]) == (2600, "usd")
    assert fields(assert_problem(await buyer.click(currency="gbp"), 422, "invalid_request")) == ["currency"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"packageId": "credits-7"}, "packageId"),
        ({"packageId": 5}, "packageId"),
        ({"successUrl": "javascript:alert(1)"}, "successUrl"),
        ({"successUrl": "https://me@app.example/"}, "successUrl"),
        ({"cancelUrl": "https://app.example/" + "x" * 2_000}, "cancelUrl"),
        ({"cancelUrl": "https://app.example/\nx"}, "cancelUrl"),
        ({"cancelUrl": "//app.example/"}, "cancelUrl"),
        ({"currency": "EUR"}, "currency"),
        ({"amount": 1}, "amount"),
    ],
)
async def test_what_cannot_be_bought(buyer: Buyer, body: dict[str, Any], field: str) -> None:
    assert fields(assert_problem(await buyer.click(**body), 422, "invalid_request")) == [field]
    assert await buyer.purchases() == []


async def test_a_retired_package_cannot_be_bought(shop: Shop, buyer: Buyer) -> None:
    await shop.offer("retired")
    await shop.owner.execute("UPDATE credits.packages SET active = false WHERE id = 'retired'")
    assert fields(assert_problem(await buyer.click(packageId="retired"), 422, "invalid_request")) == ["packageId"]


async def test_a_lost_answer_is_asked_for_again(shop: Shop, buyer: Buyer) -> None:
    await buyer.buy(packageId=OTHER_PACKAGE)
    await shop.remote.switch(answers_lost=1)
    opened = await buyer.buy()
    newest, _ = await buyer.sessions()
    assert (opened["checkoutUrl"], await buyer.buy()) == (newest["url"], opened)


async def test_a_crash_behind_stripes_answer_is_healed_by_the_next_click(shop: Shop, buyer: Buyer) -> None:
    first = await buyer.buy()
    await _forget_session(shop, buyer)
    assert await buyer.buy() == first
    assert (len(await buyer.sessions()), await buyer.attempt()) == (1, 1)


async def test_failures_of_stripe_are_healed_by_the_next_click(shop: Shop, buyer: Buyer) -> None:
    await shop.remote.switch(answers_failed=3)
    refused = await buyer.click()
    assert_problem(refused, 503, "overloaded")
    assert refused.headers["retry-after"]
    (left,) = await buyer.purchases()
    assert (await buyer.buy())["purchase"]["id"] == left["id"]
    assert (len(await buyer.sessions()), await buyer.attempt()) == (1, 1)


async def test_a_request_that_stripe_knows_otherwise_is_another_attempt(shop: Shop, buyer: Buyer) -> None:
    """What a session is made of has changed since the answer was lost."""
    await shop.offer("changing")
    await buyer.buy(packageId="changing")
    await _forget_session(shop, buyer)
    await shop.owner.execute("UPDATE credits.packages SET name = 'after' WHERE id = 'changing'")
    opened = await asyncio.gather(*(buyer.buy(packageId="changing") for _ in range(3)))
    assert len({each["checkoutUrl"] for each in opened}) == 1
    assert (len(await buyer.sessions()), await buyer.attempt()) == (2, 2)


async def test_a_customer_that_stripe_does_not_know_is_made_anew(shop: Shop, buyer: Buyer) -> None:
    await buyer.buy(packageId=OTHER_PACKAGE)
    await shop.owner.execute(
        "UPDATE credits.customers SET stripe_customer_id = 'cus_gone' WHERE account_id = $1::text::uuid", buyer.user.id
    )
    await buyer.buy()
    newest, _ = await buyer.sessions()
    assert newest["customer"] == await buyer.customer() != "cus_gone"


async def test_at_a_price_of_stripes_own(shop: Shop, buyer: Buyer) -> None:
    """The session is sold only where Stripe's price is the package's."""
    product = await shop.made_at_stripe("products", name="credits")
    price = await shop.made_at_stripe("prices", product=product["id"], currency="eur", unit_amount=499)
    await shop.offer("priced", price["id"])
    problem = assert_problem(await buyer.click(packageId="priced"), 500, "internal")
    assert "499" not in str(problem)
    (session,) = await buyer.sessions()
    assert session["status"] == "expired"
    assert "Stripe's price is not the package's" in shop.process.output
    (purchase,) = await buyer.purchases()
    assert purchase["stripeCheckoutSessionId"] is None
    right = await shop.made_at_stripe("prices", product=product["id"], currency="eur", unit_amount=500)
    await shop.owner.execute("UPDATE credits.packages SET stripe_price_id = $1 WHERE id = 'priced'", right["id"])
    assert (await buyer.buy(packageId="priced"))["purchase"]["id"] == purchase["id"]


async def test_what_stripe_refuses_is_not_told(shop: Shop, buyer: Buyer) -> None:
    await shop.offer("unpriced", "price_nobody")
    problem = assert_problem(await buyer.click(packageId="unpriced"), 500, "internal")
    assert "price_nobody" not in str(problem)
    assert "Stripe refuses a checkout" in shop.process.output


@pytest.mark.parametrize("field", ["successUrl", "cancelUrl"])
async def test_an_address_that_stripe_does_not_take(shop: Shop, buyer: Buyer, field: str) -> None:
    """It judges them by other rules than ours; the stand-in wants schemes in lower case."""
    problem = assert_problem(await buyer.click(**{field: "HTTPS://app.example/"}), 422, "invalid_request")
    assert fields(problem) == [field]


async def test_a_price_that_stripe_finds_too_small(shop: Shop, buyer: Buyer) -> None:
    await shop.offer("tiny")
    await shop.owner.execute("UPDATE credits.packages SET price_euro_cents = 49 WHERE id = 'tiny'")
    assert fields(assert_problem(await buyer.click(packageId="tiny"), 422, "invalid_request")) == ["packageId"]


async def test_others_see_nothing_of_it(shop: Shop, buyer: Buyer) -> None:
    await buyer.buy()
    somebody = Buyer(shop, await sign_up(shop.http))
    assert await somebody.purchases() == []
    assert_problem(await shop.http.post(PURCHASES, json={"packageId": PACKAGE}), 401, "unauthorized")


async def test_without_a_key_nothing_can_be_bought(http: httpx.AsyncClient, user: SignedIn) -> None:
    answer = await http.post(PURCHASES, json={"packageId": PACKAGE}, headers=user.headers)
    assert_problem(answer, 503, "payments_disabled")
    assert (await http.get(PURCHASES, headers=user.headers)).json() == []


async def test_a_key_that_stripe_does_not_know(
    servers: Instance, logs: Path, shop: Shop, stand_in: StandIn, buyer: Buyer
) -> None:
    wrong = "sk_test_nobodysKey0123456789"
    settings = {"STRIPE_SECRET_KEY": wrong, "STRIPE_API_URL": stand_in.url, "RATE_LIMIT_PURCHASES": "3/1h"}
    async with another_front(servers, logs, **settings) as (process, http):
        elsewhere = Buyer(replace(shop, process=process, http=http), buyer.user)
        assert_problem(await elsewhere.click(), 503, "payments_disabled")
        assert '"outcome": "unauthorized"' in process.output
        assert wrong not in process.output
        assert fields(assert_problem(await elsewhere.click(packageId="no"), 422, "invalid_request")) == ["packageId"]
        await elsewhere.click()
        assert_problem(await elsewhere.click(), 429, "rate_limited")
        somebody = Buyer(elsewhere.shop, await sign_up(shop.http))
        assert_problem(await somebody.click(), 503, "payments_disabled")
    assert await buyer.buy()


async def test_what_is_asked_of_stripe_is_counted_and_tells_no_secret(shop: Shop, buyer: Buyer) -> None:
    opened = await buyer.buy()
    metrics = (await shop.http.get("/metrics")).text
    assert 'mana_stripe_calls_total{operation="session",outcome="done"}' in metrics
    assert 'mana_stripe_calls_total{operation="customer",outcome="done"}' in metrics
    session = opened["purchase"]["stripeCheckoutSessionId"]
    secrets = (KEY, buyer.user.email, opened["checkoutUrl"], session, quote(f"metadata[user_id]={buyer.user.id}"))
    assert [secret for secret in secrets if secret in shop.process.output] == []


async def _write(shop: Shop, opened: dict[str, Any], statement: str) -> None:
    """As the ledger does; ``$1`` is the purchase."""
    await shop.owner.execute(statement, opened["purchase"]["id"])


async def _age(shop: Shop, buyer: Buyer, interval: str) -> None:
    """The buyer's purchases began so much earlier."""
    await shop.owner.execute(
        f"UPDATE credits.purchases SET created_at = created_at - interval '{interval}'"
        " WHERE account_id = $1::text::uuid",
        buyer.user.id,
    )


async def _forget_session(shop: Shop, buyer: Buyer) -> None:
    """As if the front had died before it wrote Stripe's answer down."""
    await shop.owner.execute(
        "UPDATE credits.purchases SET stripe_checkout_session_id = NULL, checkout_url = NULL"
        " WHERE account_id = $1::text::uuid",
        buyer.user.id,
    )


async def test_a_customer_who_is_made_while_the_user_leaves_is_forgotten(shop: Shop, buyer: Buyer) -> None:
    await shop.remote.switch(answer_delay_seconds=4)
    clicking = asyncio.create_task(buyer.click())
    begun = "SELECT EXISTS (SELECT FROM credits.purchases WHERE account_id = $1::text::uuid)"
    async with asyncio.timeout(20):
        while not await shop.owner.fetchval(begun, buyer.user.id):
            await asyncio.sleep(0.01)
    assert (await shop.http.delete(f"{BASE}/auth/me", headers=buyer.user.headers)).status_code == 200
    assert_problem(await clicking, 401, "unauthorized")
    (customer,) = (await shop.at_stripe("customers", email=buyer.user.email))["data"]
    forgotten = "SELECT livemode FROM credits.forgotten_customers WHERE stripe_customer_id = $1"
    assert await shop.owner.fetchval(forgotten, customer["id"]) is False
