"""Webhooks: signed, tried again, and repeated, shuffled, delayed, lost or held as they are told to be."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import stripe

from tests.integration.stripe_fake.shop import VERSION, Shop


async def _customers(shop: Shop, number: int) -> list[str]:
    """So many events, by their ids."""
    for _ in range(number):
        await shop.client.v1.customers.create_async({})
    return [event.id for event in await shop.happened()]


def _arrived(shop: Shop) -> list[str]:
    return [json.loads(body)["id"] for body in shop.receiver.bodies]


async def test_what_is_not_taken_comes_again(shop: Shop) -> None:
    """Until it is answered with 2xx; a redirect is none. The event counts who has not taken it."""
    await shop.remote.switch(retry_seconds=60)
    shop.receiver.answers = [500, 302]
    (event,) = await _customers(shop, 1)
    await shop.receiver.until(1)
    assert (await shop.client.v1.events.retrieve_async(event)).pending_webhooks == 1
    await shop.remote.deliver_now()
    await shop.remote.deliver_now()
    (delivery,) = await shop.remote.deliveries(event=event)
    assert [answer["status"] for answer in delivery["answers"]] == [500, 302, 200]
    assert delivery["state"] == "delivered"
    assert (await shop.client.v1.events.retrieve_async(event)).pending_webhooks == 0
    assert len(set(shop.receiver.bodies)) == 1


async def test_it_comes_again_by_itself(shop: Shop) -> None:
    """After a pause that doubles."""
    shop.receiver.answers = [503, 503, 503]
    (event,) = await _customers(shop, 1)
    await shop.receiver.until(4)
    assert _arrived(shop) == [event] * 4


async def test_nobody_listens(shop: Shop) -> None:
    """What has no answer is noted as that; an endpoint that is gone is not asked any more."""
    endpoint = await shop.client.v1.webhook_endpoints.create_async(
        {"url": "http://127.0.0.1:9/none", "enabled_events": ["customer.created"]}
    )
    await shop.remote.switch(retry_seconds=60)
    (event,) = await _customers(shop, 1)
    await shop.remote.deliver_now()
    mine = [one for one in await shop.remote.deliveries(event=event) if one["endpoint"] == endpoint.id]
    assert [answer["error"] for answer in mine[0]["answers"]][:1] == ["ConnectError"]
    tried = len(mine[0]["answers"])
    await shop.client.v1.webhook_endpoints.delete_async(endpoint.id)
    await shop.remote.deliver_now()
    mine = [one for one in await shop.remote.deliveries(event=event) if one["endpoint"] == endpoint.id]
    assert (mine[0]["state"], len(mine[0]["answers"])) == ("given_up", tried)


async def test_signatures_change_hands(shop: Shop) -> None:
    """While a secret is rotated both verify; afterwards the new one alone does. A changed body never does."""
    old = shop.secret
    new = await shop.remote.roll(shop.endpoint, overlap_seconds=3_600)
    await _customers(shop, 1)
    await shop.receiver.until(1)
    for secret in (old, new):
        assert [event.type for event in shop.receiver.events(secret)] == ["customer.created"]
    assert shop.receiver.signatures[0].count("v1=") == 2
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(shop.receiver.bodies[0] + b" ", shop.receiver.signatures[0], new)
    await shop.remote.advance(3_601)
    await _customers(shop, 1)
    await shop.receiver.until(2)
    body, signature = shop.receiver.bodies[1], shop.receiver.signatures[1]
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, signature, old)
    event = stripe.Webhook.construct_event(body, signature, new)
    assert (event.api_version, event.pending_webhooks, event.livemode) == (VERSION, 1, False)


async def test_only_what_was_asked_for_is_sent(shop: Shop) -> None:
    """An endpoint gets the types that it names; a disabled one gets none."""
    await shop.client.v1.webhook_endpoints.update_async(shop.endpoint, {"enabled_events": ["product.created"]})
    await shop.client.v1.customers.create_async({})
    await shop.client.v1.products.create_async({"name": "P"})
    await shop.receiver.until(1)
    await shop.client.v1.webhook_endpoints.update_async(shop.endpoint, {"disabled": True})
    await shop.client.v1.products.create_async({"name": "Q"})
    await shop.remote.deliver_now()
    assert [event.type for event in shop.receiver.events(shop.secret)] == ["product.created"]


async def test_repeated_and_shuffled(shop: Shop) -> None:
    """Each three times, and not in their order."""
    await shop.remote.switch(repeat=3, shuffle_seconds=0.2)
    events = await _customers(shop, 12)
    await shop.receiver.until(36)
    arrived = _arrived(shop)
    assert Counter(arrived) == dict.fromkeys(events, 3)
    assert arrived != sorted(arrived, key=events.index)


async def test_in_order_unless_told_otherwise(shop: Shop) -> None:
    """With one delivery at a time, events arrive as they happened."""
    events = await _customers(shop, 12)
    await shop.receiver.until(12)
    assert _arrived(shop) == events


async def test_lost_ones_are_in_the_list_of_events(shop: Shop) -> None:
    """They never arrive, and are not tried again; the API has them, and sends them where it is told to."""
    await shop.remote.switch(lose_next=2)
    events = await _customers(shop, 3)
    assert (await shop.remote.deliver_now()).keys() >= {"lost"}
    assert _arrived(shop) == events[2:]
    missed = await shop.client.v1.events.list_async({"delivery_success": False, "limit": 2})
    assert [event.id for event in missed.data] == events[1::-1]
    await shop.remote.send(events[0], times=2)
    await shop.receiver.until(3)
    assert _arrived(shop) == [events[2], events[0], events[0]]
    await shop.remote.switch(lose_share=1)
    await _customers(shop, 1)
    await shop.remote.deliver_now()
    assert len(_arrived(shop)) == 3


async def test_held_and_delayed_until_they_are_let_go(shop: Shop) -> None:
    """Held ones wait for their release, delayed ones for their time; or for the word that says: now."""
    await shop.remote.switch(hold=True)
    events = await _customers(shop, 2)
    assert [one["state"] for event in events for one in await shop.remote.deliveries(event=event)] == ["held", "held"]
    assert _arrived(shop) == []
    await shop.remote.switch(hold=False)
    await shop.receiver.until(2)
    await shop.remote.switch(delay_seconds=3_600)
    await _customers(shop, 1)
    await shop.remote.switch(delay_seconds=0)
    (*_, late, soon) = await _customers(shop, 1)
    await shop.receiver.until(3)
    assert _arrived(shop) == [*events, soon]
    await shop.remote.deliver_now()
    assert _arrived(shop) == [*events, soon, late]


async def test_a_forged_event_is_rightly_signed(shop: Shop) -> None:
    """For tests of what a receiver must refuse although the signature is right."""
    await shop.client.v1.customers.create_async({"email": "a@example.org"})
    thing = {**shop.http.answers[-1], "id": "cus_another"}
    await shop.remote.forge("customer.deleted", thing, account="acct_another", livemode=True)
    await shop.receiver.until(2)
    event = shop.receiver.events(shop.secret)[-1]
    assert (event.account, event.livemode, event.data.object.id) == ("acct_another", True, "cus_another")
