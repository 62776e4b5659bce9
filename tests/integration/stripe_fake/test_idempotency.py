"""Idempotency keys, and what a bad network does to requests."""

from __future__ import annotations

import asyncio

import pytest
import stripe

from tests.integration.stripe_fake.conftest import client_of
from tests.integration.stripe_fake.shop import Shop


def _key(name: str) -> stripe.RequestOptions:
    return {"idempotency_key": name}


async def test_the_same_request_is_done_once(shop: Shop) -> None:
    """The first answer comes again, marked as such; events name the key."""
    create = shop.client.v1.customers.create_async
    first = await create({"email": "a@example.org"}, _key("key-1"))
    again = await create({"email": "a@example.org"}, _key("key-1"))
    assert again.id == first.id
    told, repeated = first.last_response.headers, again.last_response.headers
    assert "idempotent-replayed" not in told
    assert repeated["idempotent-replayed"] == "true"
    assert repeated["original-request"] == told["request-id"] != repeated["request-id"]
    (event,) = await shop.happened()
    assert (event.request.id, event.request.idempotency_key) == (told["request-id"], "key-1")


async def test_a_key_is_for_one_request(shop: Shop) -> None:
    """Other parameters, or another endpoint: 400, and nothing is done."""
    await shop.client.v1.customers.create_async({"email": "a@example.org"}, _key("key-2"))
    with pytest.raises(stripe.IdempotencyError, match="same parameters") as other:
        await shop.client.v1.customers.create_async({"email": "b@example.org"}, _key("key-2"))
    assert other.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        await shop.client.v1.products.create_async({"name": "a"}, _key("key-2"))
    assert len(await shop.types()) == 1


async def test_two_at_once(shop: Shop) -> None:
    """One is done, the other is told that it is under way; the library's own retry then finds the answer."""
    await shop.remote.switch(answer_delay_seconds=2)
    create = shop.client.v1.customers.create_async
    done = await asyncio.gather(*(create({}, _key("key-3")) for _ in range(2)), return_exceptions=True)
    (made,) = [one for one in done if isinstance(one, stripe.Customer)]
    (refused,) = [one for one in done if isinstance(one, stripe.StripeError)]
    assert refused.http_status == 409
    codes = [answer["error"].get("code") for answer in shop.http.answers if "error" in answer]
    assert codes == ["idempotency_key_in_use"]
    await shop.remote.switch(answer_delay_seconds=0.3)
    patient = client_of(shop.url, shop.http, retries=3).v1.customers
    both = await asyncio.gather(*(patient.create_async({}, _key("key-4")) for _ in range(2)))
    assert both[0].id == both[1].id != made.id
    assert len(await shop.types()) == 2


async def test_refusals_are_kept_only_where_work_had_begun(shop: Shop) -> None:
    """A declined card is the answer for good; a parameter that was wrong can be mended under the same key."""
    charge = {"amount": 900, "currency": "eur", "payment_method": "pm_card_chargeDeclined", "confirm": True}
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            await shop.client.v1.payment_intents.create_async(charge, _key("key-5"))
    assert (await shop.types()).count("payment_intent.created") == 1
    with pytest.raises(stripe.InvalidRequestError):
        await shop.client.v1.payment_intents.create_async({**charge, "amount": 1}, _key("key-6"))
    with pytest.raises(stripe.CardError):
        await shop.client.v1.payment_intents.create_async(charge, _key("key-6"))


async def test_keys_are_forgotten_after_a_day(shop: Shop) -> None:
    """Then the request is a new one."""
    first = await shop.client.v1.customers.create_async({}, _key("key-7"))
    await shop.remote.advance(86_401)
    assert (await shop.client.v1.customers.create_async({}, _key("key-7"))).id != first.id


async def test_an_answer_that_was_lost_is_found_by_the_retry(shop: Shop) -> None:
    """Done, and the connection cut: the library asks again with the key, and nothing is done twice."""
    await shop.remote.switch(answers_lost=1)
    patient = client_of(shop.url, shop.http, retries=2)
    customer = await patient.v1.customers.create_async({"email": "a@example.org"}, _key("key-8"))
    assert customer.last_response.headers["idempotent-replayed"] == "true"
    assert await shop.types() == ["customer.created"]
    await shop.remote.switch(answers_lost=1)
    with pytest.raises(stripe.APIConnectionError):
        await shop.client.v1.customers.create_async({})


async def test_a_failure_before_anything_was_done(shop: Shop) -> None:
    """500 leaves the key free: the retry does it."""
    await shop.remote.switch(answers_failed=1)
    with pytest.raises(stripe.APIError):
        await shop.client.v1.customers.create_async({}, _key("key-9"))
    customer = await shop.client.v1.customers.create_async({}, _key("key-9"))
    assert "idempotent-replayed" not in customer.last_response.headers
