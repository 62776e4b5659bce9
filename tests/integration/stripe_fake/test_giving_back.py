"""Refunds and disputes: what is left, what comes back, and what is told of it."""

from __future__ import annotations

import pytest
import stripe

from tests.integration.stripe_fake.shop import Shop


async def test_refunds_never_exceed_what_is_left(shop: Shop) -> None:
    """Two parts, then the rest; more than that is refused."""
    intent = await shop.bought(900)
    refunds = shop.client.v1.refunds
    begun = len(await shop.types())
    part = await refunds.create_async({"payment_intent": intent.id, "amount": 300, "reason": "requested_by_customer"})
    assert (part.status, part.amount, part.charge) == ("succeeded", 300, intent.latest_charge)
    told = ["refund.created", "charge.refunded", "refund.updated", "charge.refund.updated"]
    assert (await shop.types())[begun:] == told
    assert (await shop.happened())[begun + 1].data.previous_attributes["amount_refunded"] == 0
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded"):
        await refunds.create_async({"charge": intent.latest_charge, "amount": 601})
    rest = await refunds.create_async({"charge": intent.latest_charge})
    assert rest.amount == 600
    with pytest.raises(stripe.InvalidRequestError) as over:
        await refunds.create_async({"payment_intent": intent.id})
    assert over.value.code == "charge_already_refunded"
    charge = await shop.client.v1.charges.retrieve_async(intent.latest_charge, {"expand": ["refunds"]})
    assert (charge.amount_refunded, charge.refunded) == (900, True)
    assert [one.id for one in charge.refunds.data] == [rest.id, part.id]
    listed = await refunds.list_async({"payment_intent": intent.id})
    assert [one.id for one in listed.data] == [rest.id, part.id]


async def test_a_refund_fails_later(shop: Shop) -> None:
    """Pending, then failed: its amount can be given back once more."""
    await shop.remote.switch(refunds_pending=True)
    intent = await shop.bought(900)
    begun = len(await shop.types())
    refund = await shop.client.v1.refunds.create_async({"payment_intent": intent.id})
    assert refund.status == "pending"
    await shop.remote.settle_refund(refund.id, "failed")
    refund = await shop.client.v1.refunds.retrieve_async(refund.id, {"expand": ["failure_balance_transaction"]})
    assert (refund.status, refund.failure_reason) == ("failed", "expired_or_canceled_card")
    assert refund.failure_balance_transaction.amount == 900
    told = ["refund.created", "charge.refunded", "refund.updated", "charge.refund.updated", "refund.failed"]
    assert (await shop.types())[begun:] == [*told, "charge.updated"]
    again = await shop.client.v1.refunds.create_async({"payment_intent": intent.id})
    await shop.remote.settle_refund(again.id, "succeeded")
    charge = await shop.client.v1.charges.retrieve_async(intent.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (900, True)


async def test_a_card_whose_refunds_fail_by_themselves(shop: Shop) -> None:
    """Stripe's card for it: succeeded at first, failed a little later."""
    intent = await shop.bought(900, "4000000000005126")
    refund = await shop.client.v1.refunds.create_async({"payment_intent": intent.id})
    assert refund.status == "succeeded"
    await shop.remote.advance(3)
    assert (await shop.client.v1.refunds.retrieve_async(refund.id)).status == "failed"


async def test_a_dispute_is_won(shop: Shop) -> None:
    """The money goes, and comes back after the dispute is closed; meanwhile nothing can be refunded."""
    intent = await shop.bought(900)
    begun = len(await shop.types())
    opened = await shop.remote.dispute(intent.id, reason="product_not_received")
    dispute = await shop.client.v1.disputes.retrieve_async(opened["id"])
    assert (dispute.status, dispute.amount, dispute.payment_intent) == ("needs_response", 900, intent.id)
    assert [one.amount for one in dispute.balance_transactions] == [-900]
    with pytest.raises(stripe.InvalidRequestError) as disputed:
        await shop.client.v1.refunds.create_async({"payment_intent": intent.id})
    assert disputed.value.code == "charge_disputed"
    await shop.remote.act(dispute.id, "submit")
    await shop.remote.act(dispute.id, "win")
    dispute = await shop.client.v1.disputes.retrieve_async(dispute.id)
    assert (dispute.status, [one.amount for one in dispute.balance_transactions]) == ("won", [-900, 900])
    told = ["created", "funds_withdrawn", "updated", "closed", "funds_reinstated"]
    assert (await shop.types())[begun:] == [f"charge.dispute.{what}" for what in told]


async def test_a_dispute_is_lost_or_accepted(shop: Shop) -> None:
    """The money stays away; no dispute is decided twice."""
    first, second = await shop.bought(900), await shop.bought(900)
    lost = await shop.remote.dispute(first.id, amount=500)
    assert (await shop.remote.act(lost["id"], "lose"))["status"] == "lost"
    accepted = await shop.remote.dispute(second.id)
    assert (await shop.client.v1.disputes.close_async(accepted["id"])).status == "lost"
    with pytest.raises(stripe.InvalidRequestError, match="is lost"):
        await shop.client.v1.disputes.close_async(accepted["id"])
    listed = await shop.client.v1.disputes.list_async({"payment_intent": first.id})
    assert [one.amount for one in listed.data] == [500]
    assert (await shop.types()).count("charge.dispute.closed") == 2


async def test_an_inquiry_takes_nothing_until_it_escalates(shop: Shop) -> None:
    """``warning_closed``, or a dispute after all."""
    closed, escalated = await shop.bought(900), await shop.bought(900)
    begun = len(await shop.types())
    first = await shop.remote.dispute(closed.id, inquiry=True)
    assert (first["status"], first["balance_transactions"]) == ("warning_needs_response", [])
    assert (await shop.remote.act(first["id"], "drop"))["status"] == "warning_closed"
    second = await shop.remote.dispute(escalated.id, inquiry=True)
    await shop.remote.act(second["id"], "escalate")
    told = ["created", "closed", "created", "updated", "funds_withdrawn"]
    assert (await shop.types())[begun:] == [f"charge.dispute.{what}" for what in told]


async def test_an_inquiry_about_a_debit_escalates_too(shop: Shop) -> None:
    """Whose details have no card in them."""
    await shop.remote.switch(async_seconds=None)
    session = await shop.session()
    assert await shop.remote.pay(session.id, iban="AT611904300234573201") is None
    intent = (await shop.client.v1.checkout.sessions.retrieve_async(session.id)).payment_intent
    await shop.remote.settle_intent(intent, succeed=True)
    dispute = await shop.remote.dispute(intent, inquiry=True)
    escalated = await shop.remote.act(dispute["id"], "escalate")
    assert (escalated["status"], "payment_method_details" in escalated) == ("needs_response", False)


async def test_a_card_that_is_disputed_at_once(shop: Shop) -> None:
    """Stripe's card for it."""
    intent = await shop.bought(900, "4000000000000259")
    await shop.receiver.until(7)
    disputes = await shop.client.v1.disputes.list_async({"payment_intent": intent.id})
    assert [one.reason for one in disputes.data] == ["fraudulent"]
