"""Objects and events have the fields and types of Stripe's published examples, and none that its library lacks."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from ops.place import CHECKOUT
from tests.integration.stripe_fake.shapes import (
    CLASSES,
    JSON,
    against_example,
    against_library,
    objects_in,
)
from tests.integration.stripe_fake.shop import Shop

_EXAMPLES = "stripe-fixtures.json"


@pytest.fixture(scope="session")
def examples() -> JSON:
    """Stripe's examples, which lie beside the checkout or where MANA_TEST_STRIPE_FIXTURES says."""
    named = os.environ.get("MANA_TEST_STRIPE_FIXTURES")
    file = Path(named) if named else CHECKOUT.parent / "shared" / "data" / _EXAMPLES
    if not named and not file.is_file():
        pytest.skip(f"{_EXAMPLES} is not in ../shared/data beside this checkout, nor named by the environment")
    return json.loads(file.read_text(encoding="utf-8"))


async def _story(shop: Shop) -> None:
    """Everything that the stand-in can make, once."""
    v1 = shop.client.v1
    await shop.remote.switch(refunds_pending=True)
    declined = await shop.session()
    await shop.remote.pay(declined.id, "4000000000000002")
    await v1.payment_intents.list_async({"limit": 1})
    debit = await shop.session()
    await shop.remote.pay(debit.id, iban="AT611904300234573201")
    debited = await v1.checkout.sessions.retrieve_async(debit.id, {"expand": ["line_items", "payment_intent"]})
    await shop.remote.settle_intent(debited.payment_intent.id, succeed=True)
    won, returned = [
        await shop.bought(payment_intent_data={"setup_future_usage": "off_session"}, customer_creation="always")
        for _ in range(2)
    ]
    for intent in (returned.id, debited.payment_intent.id):
        refund = await v1.refunds.create_async({"payment_intent": intent})
        await shop.remote.settle_refund(refund.id, "succeeded")
        await shop.remote.settle_refund(refund.id, "failed")
    await v1.charges.retrieve_async(returned.latest_charge, {"expand": ["refunds.data.balance_transaction"]})
    dispute = await shop.remote.dispute(won.id)
    await shop.remote.act(dispute["id"], "submit")
    await shop.remote.act(dispute["id"], "win")
    await v1.disputes.retrieve_async(dispute["id"], {"expand": ["charge", "payment_intent"]})
    await v1.payment_methods.list_async({"customer": won.customer})
    await v1.checkout.sessions.list_async({"limit": 4, "expand": ["data.line_items", "data.customer"]})
    await v1.prices.list_async({"limit": 3, "expand": ["data.product"]})
    await v1.balance_transactions.list_async({"limit": 10})
    await shop.happened()


async def test_all_that_is_made_has_the_shape_of_the_examples(shop: Shop, examples: JSON) -> None:
    """Every kind of object, in answers and in webhooks."""
    await _story(shop)
    sent = [json.loads(body) for body in shop.receiver.bodies]
    made: defaultdict[str, list[JSON]] = defaultdict(list)
    for thing in objects_in([*shop.http.answers, *sent]):
        made[thing["object"]].append(thing)
    # The example of an event has a plan in it; what ours have in them is compared as what it is.
    examples["event"]["data"] = {"object": {}}
    problems = [
        problem
        for kind, things in made.items()
        for thing in things
        for problem in against_example(examples.get(kind), thing, kind)
    ]
    assert sorted(set(problems)) == []
    assert made.keys() == CLASSES.keys()
    assert examples.keys() - made.keys() == {"line_item"}, "an invoice's line; the service has no invoices"


def _dispute() -> JSON:
    card = {"brand": "visa", "case_type": "chargeback", "network_reason_code": None}
    return {"object": "dispute", "reason": "general", "payment_method_details": {"card": card, "type": "card"}}


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ({"amount": "9"}, "dispute.amount: '9' is no int"),
        ({"amount": True}, "dispute.amount: True is no int"),
        ({"reason": None}, "dispute.reason: null"),
        ({"status": "closed"}, "dispute.status: 'closed' is none of"),
        ({"surprise": 1}, "dispute.surprise: not in the library's Dispute"),
        ({"balance_transactions": [{"object": "balance_transaction"}]}, "dispute.balance_transactions[0].net: lacking"),
        (
            {"payment_method_details": {"type": "card", "card": 1}},
            "dispute.payment_method_details.card: 1 is no object",
        ),
        ({}, "dispute.charge: lacking"),
    ],
)
def test_the_check_by_the_library_sees(spoilt: JSON, said: str) -> None:
    """Each way of being wrong is told."""
    assert any(problem.startswith(said) for problem in against_library({**_dispute(), **spoilt}))


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"a": 1, "b": {"c": "x"}}, []),
        ({"a": None, "b": None}, []),
        ({"a": True, "b": {"c": "x"}}, ["t.a: True is of another type than 5"]),
        ({"a": 1}, ["t.b: lacking"]),
        ({"a": 1, "b": {}}, ["t.b.c: lacking"]),
    ],
)
def test_the_check_by_the_examples_sees(sent: Any, said: list[str]) -> None:
    """Lacking fields and other types; null says nothing."""
    assert against_example({"a": 5, "b": {"c": "d"}}, sent, "t") == said
