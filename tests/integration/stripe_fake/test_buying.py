"""Checkout from the session to the money: events in Stripe's order, states as Stripe's library reads them."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.integration.stripe_fake.conftest import client_of
from tests.integration.stripe_fake.shop import LIVE_KEY, VERSION, Shop, recording

PAID = [
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "charge.updated",
    "checkout.session.completed",
]


async def test_a_package_is_bought(shop: Shop) -> None:
    """Product, price, customer, session, payment: what was given is found again in all that Stripe made of it."""
    v1 = shop.client.v1
    product = await v1.products.create_async({"name": "1,000 credits", "metadata": {"package": "p1"}})
    price = await v1.prices.create_async(
        {"product": product.id, "currency": "eur", "unit_amount": 900, "lookup_key": f"mana-{product.id}"}
    )
    found = await v1.prices.list_async({"lookup_keys": [f"mana-{product.id}"], "expand": ["data.product"]})
    assert [(one.id, one.product.name) for one in found.data] == [(price.id, "1,000 credits")]
    customer = await v1.customers.create_async({"email": "a@example.org", "metadata": {"user_id": "u1"}})
    session = await v1.checkout.sessions.create_async(
        {
            "mode": "payment",
            "line_items": [{"price": price.id, "quantity": 2}],
            "customer": customer.id,
            "client_reference_id": "purchase-1",
            "adaptive_pricing": {"enabled": False},
            "metadata": {"purchase_id": "purchase-1"},
            "payment_intent_data": {"metadata": {"purchase_id": "purchase-1"}, "setup_future_usage": "off_session"},
            "success_url": "https://shop.example/done?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "https://shop.example/cancelled",
        }
    )
    assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 1800)
    assert session.payment_intent is None
    assert await shop.remote.pay(session.id) is None

    session = await v1.checkout.sessions.retrieve_async(
        session.id, {"expand": ["line_items", "payment_intent.latest_charge.balance_transaction", "customer"]}
    )
    assert (session.status, session.payment_status, session.url) == ("complete", "paid", None)
    assert session.client_reference_id == "purchase-1"
    assert session.customer_details.email == "a@example.org"
    assert [(item.quantity, item.price.id) for item in session.line_items.data] == [(2, price.id)]
    intent = session.payment_intent
    assert (intent.status, intent.amount_received, intent.metadata["purchase_id"]) == ("succeeded", 1800, "purchase-1")
    assert intent.latest_charge.metadata["purchase_id"] == "purchase-1"
    assert intent.latest_charge.balance_transaction.net == 1800 - (1800 * 15 // 1000 + 25)
    kept = await v1.payment_methods.list_async({"customer": customer.id})
    assert [one.card.last4 for one in kept.data] == ["4242"]

    catalog = ["product.created", "price.created", "customer.created"]
    completed = [*PAID[:4], "payment_method.attached", PAID[4]]
    assert await shop.types() == catalog + completed
    arrived = await shop.receiver.until(len(catalog + completed))
    assert len(arrived) == len(catalog + completed)
    assert [event.type for event in shop.receiver.events(shop.secret)] == catalog + completed


async def test_a_declined_card_can_be_followed_by_a_good_one(shop: Shop) -> None:
    """The session stays open with its payment intent, and one charge stands for each attempt."""
    session = await shop.session()
    assert await shop.remote.pay(session.id, "4000000000009995") == "Your card has insufficient funds."
    session = await shop.client.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["payment_intent"]})
    intent = session.payment_intent
    assert (session.status, intent.status) == ("open", "requires_payment_method")
    assert intent.last_payment_error.decline_code == "insufficient_funds"
    assert await shop.remote.pay(session.id) is None
    failed = ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]
    assert await shop.types() == [*failed, *PAID[1:]]
    charges = await shop.client.v1.charges.list_async({"payment_intent": intent.id})
    assert [charge.status for charge in charges.data] == ["succeeded", "failed"]


@pytest.mark.parametrize(("succeed", "ending", "paid"), [(True, "succeeded", "paid"), (False, "failed", "unpaid")])
async def test_a_bank_debit_is_decided_later(shop: Shop, *, succeed: bool, ending: str, paid: str) -> None:
    """Completed while unpaid; the money, or the news that there is none, comes afterwards, and once."""
    await shop.remote.switch(async_seconds=100)
    session = await shop.session()
    assert await shop.remote.pay(session.id, iban="AT611904300234573201") is None
    session = await shop.client.v1.checkout.sessions.retrieve_async(session.id)
    assert (session.status, session.payment_status) == ("complete", "unpaid")
    await shop.remote.settle_intent(session.payment_intent, succeed=succeed)
    session = await shop.client.v1.checkout.sessions.retrieve_async(session.id)
    assert (session.status, session.payment_status) == ("complete", paid)
    await shop.remote.advance(101)
    types = await shop.types()
    first = ["payment_intent.created", "charge.pending", "payment_intent.processing", "checkout.session.completed"]
    assert types[:4] == first
    assert [kind for kind in types if "async_payment" in kind] == [f"checkout.session.async_payment_{ending}"]
    told = (await shop.happened())[3].data.object
    assert (told.object, told.payment_status) == ("checkout.session", "unpaid"), "events tell of their own time"
    assert ("payment_intent.succeeded" if succeed else "payment_intent.payment_failed") in types


async def test_a_bank_debit_also_ends_by_itself(shop: Shop) -> None:
    """As the account number says, after the time that is set."""
    await shop.remote.switch(async_seconds=0.05)
    session = await shop.session()
    assert await shop.remote.pay(session.id, iban="AT861904300235473202") is None
    bodies = await shop.receiver.until(7)
    assert b"checkout.session.async_payment_failed" in bodies[-1]


async def test_a_session_expires(shop: Shop) -> None:
    """By its time, by the seller's wish; not once it is paid."""
    by_time, by_wish, paid = [await shop.session() for _ in range(3)]
    await shop.remote.pay(by_time.id, "4000000000000002")
    await shop.remote.pay(paid.id)
    expired = await shop.client.v1.checkout.sessions.expire_async(by_wish.id)
    assert (expired.status, expired.url) == ("expired", None)
    await shop.remote.advance(86_400 + 60)
    by_time = await shop.client.v1.checkout.sessions.retrieve_async(by_time.id, {"expand": ["payment_intent"]})
    assert (by_time.status, by_time.payment_intent.status) == ("expired", "canceled")
    assert (await shop.types()).count("checkout.session.expired") == 2
    with pytest.raises(stripe.InvalidRequestError, match="status of open"):
        await shop.client.v1.checkout.sessions.expire_async(paid.id)


async def test_a_saved_card_is_charged_while_the_customer_is_away(shop: Shop) -> None:
    """Off-session: taken at once, or declined with 402 and the payment intent in the error."""
    bought = await shop.bought(payment_intent_data={"setup_future_usage": "off_session"})
    again = {
        "amount": 900,
        "currency": "eur",
        "customer": bought.customer,
        "payment_method": bought.payment_method,
        "off_session": True,
        "confirm": True,
        "metadata": {"purchase_id": "topup-1"},
    }
    intent = await shop.client.v1.payment_intents.create_async(again)
    assert (intent.status, intent.amount_received) == ("succeeded", 900)

    await shop.remote.decline(bought.payment_method, "insufficient_funds")
    with pytest.raises(stripe.CardError) as refused:
        await shop.client.v1.payment_intents.create_async(again)
    error: Any = refused.value.error
    assert (refused.value.http_status, error.code, error.decline_code) == (402, "card_declined", "insufficient_funds")
    declined = await shop.client.v1.payment_intents.retrieve_async(error.payment_intent.id)
    assert (declined.status, declined.metadata["purchase_id"]) == ("requires_payment_method", "topup-1")
    failed = ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]
    assert (await shop.types())[-3:] == failed
    assert (await shop.happened())[-1].request.id is not None


async def test_another_customers_card_is_refused(shop: Shop) -> None:
    """A saved payment method pays for its own customer only."""
    bought = await shop.bought(payment_intent_data={"setup_future_usage": "off_session"})
    other = await shop.client.v1.customers.create_async({"email": "b@example.org"})
    with pytest.raises(stripe.InvalidRequestError, match="another customer"):
        await shop.client.v1.payment_intents.create_async(
            {"amount": 900, "currency": "eur", "customer": other.id, "payment_method": bought.payment_method}
        )


async def test_live_and_test_mode_are_two_worlds(shop: Shop) -> None:
    """The key says which: objects carry it, and none is seen from the other side."""
    async with recording() as http:
        product = await client_of(shop.url, http, LIVE_KEY).v1.products.create_async({"name": "Live"})
    assert product.livemode
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        await shop.client.v1.products.retrieve_async(product.id)
    assert (unknown.value.http_status, unknown.value.code) == (404, "resource_missing")


async def test_what_is_wrong_is_refused_as_stripe_does(shop: Shop) -> None:
    """Unknown and missing parameters, inactive prices, small amounts, unknown keys and versions."""
    v1 = shop.client.v1
    product = await v1.products.create_async({"name": "P"})
    price = await v1.prices.create_async({"product": product.id, "currency": "eur", "unit_amount": 900})
    await v1.prices.update_async(price.id, {"active": False})
    line = [{"price": price.id, "quantity": 1}]
    wrong: list[tuple[dict[str, Any], str | None, str | None]] = [
        ({"nonsense": "1"}, "parameter_unknown", "nonsense"),
        ({"line_items": line}, None, "line_items[0][price]"),
        ({"line_items": [{"price": "price_none"}]}, "resource_missing", "line_items[0][price]"),
        ({"success_url": "nowhere"}, "url_invalid", "success_url"),
        ({"amount": 10}, "amount_too_small", None),
    ]
    for params, code, param in wrong:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await shop.session(**params)
        assert (refused.value.http_status, refused.value.code, refused.value.param) == (400, code, param)
    with pytest.raises(stripe.InvalidRequestError) as missing:
        await v1.prices.create_async({"product": product.id, "unit_amount": 900})
    assert (missing.value.code, missing.value.param) == ("parameter_missing", "currency")
    with pytest.raises(stripe.AuthenticationError):
        await client_of(shop.url, shop.http, "pk_test_1234567890").v1.products.list_async()
    old = stripe.StripeClient(
        "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
        base_addresses={"api": shop.url},
        stripe_version="2020-08-27",
        http_client=shop.http,
    )
    with pytest.raises(stripe.InvalidRequestError, match=VERSION):
        await old.v1.products.list_async()


async def test_lists_are_paged(shop: Shop) -> None:
    """Both ways, by type, by time; each event once."""
    for number in range(5):
        await shop.client.v1.customers.create_async({"email": f"{number}@example.org"})
    v1 = shop.client.v1
    own = [event.id for event in await shop.happened()][::-1]
    assert len(own) == 5
    first = await v1.events.list_async({"types": ["customer.created"], "limit": 2})
    assert ([event.id for event in first.data], first.has_more) == (own[:2], True)
    second = await v1.events.list_async({"type": "customer.*", "limit": 2, "starting_after": own[1]})
    assert [event.id for event in second.data] == own[2:4]
    back = await v1.events.list_async({"limit": 2, "ending_before": own[4]})
    assert ([event.id for event in back.data], back.has_more) == (own[2:4], True)
    made = first.data[0].created
    none = await v1.events.list_async({"created": {"gt": made + 100_000}})
    since = await v1.events.list_async({"created": {"gte": made, "lte": made}})
    assert none.data == []
    assert own[0] in [event.id for event in since.data]
    with pytest.raises(stripe.InvalidRequestError, match="less than or equal to 100"):
        await v1.events.list_async({"limit": 101})
    await shop.remote.advance(30 * 86_400)
    assert (await v1.events.list_async()).data == [], "Stripe lists the events of 30 days"
    assert (await v1.events.retrieve_async(own[0])).type == "customer.created"


async def test_a_customer_who_is_deleted_pays_nothing_and_can_still_be_asked_for(shop: Shop) -> None:
    """An open checkout stays open, as at Stripe."""
    v1 = shop.client.v1
    customer = await v1.customers.create_async({"email": "a@example.org"})
    method = await v1.payment_methods.attach_async("pm_card_visa", {"customer": customer.id})
    session = await shop.session(customer=customer.id)
    gone = await v1.customers.delete_async(customer.id)
    assert (gone.id, gone.deleted) == (customer.id, True)
    assert (await v1.customers.retrieve_async(customer.id)).deleted
    assert (await shop.types())[-2:] == ["payment_method.detached", "customer.deleted"]
    assert (await v1.payment_methods.retrieve_async(method.id)).customer is None
    refusals = [
        v1.customers.delete_async(customer.id),
        v1.customers.update_async(customer.id, {"email": "b@example.org"}),
        v1.payment_methods.attach_async("pm_card_visa", {"customer": customer.id}),
    ]
    for refused in refusals:
        with pytest.raises(stripe.InvalidRequestError) as error:
            await refused
        assert error.value.code == "resource_missing"
    assert (await v1.checkout.sessions.retrieve_async(session.id)).status == "open"
    assert await shop.remote.pay(session.id) is None
