"""Whatever comes when, and however often: a purchase's events are the same commands.

What the worker knows grows while it works: a purchase is known by its payment only once that was told, and Stripe,
which is asked for what is missing, answers as of its end.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.workers.payments.examples import (
    BY_NAME,
    BY_PAYMENT,
    PRICE,
    answered,
    body,
    dispute,
    intent,
    refund,
    session,
    told,
)
from workers.payments.model import Ask, Asked, Commands
from workers.payments.reading import event
from workers.payments.translation import translate

Told = tuple[str, dict[str, Any]]
_CHARGE = {"id": "ch_1", "payment_intent": "pi_1"}
_PAYMENTS: list[list[Told]] = [
    [("checkout.session.completed", session()), ("payment_intent.succeeded", intent())],
    [
        ("checkout.session.completed", session(payment_status="unpaid")),
        ("checkout.session.async_payment_succeeded", session()),
    ],
    [("payment_intent.payment_failed", intent(amount_received=0)), ("checkout.session.completed", session())],
]


@st.composite
def _stories(draw: st.DrawFn) -> tuple[list[Told], Asked]:
    """All that happened to a purchase that was paid, and what Stripe says when it is asked afterwards."""
    events = [*draw(st.sampled_from(_PAYMENTS))]
    refunds: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 2))):
        states = draw(st.sampled_from([["succeeded"], ["pending", "succeeded"], ["pending", "succeeded", "failed"]]))
        every = [refund(state, id=f"re_{number}", amount=PRICE // 2) for state in states]
        names = ["refund.created", "refund.updated", "refund.failed"]
        events += list(zip(names, every, strict=False))
        events.append(("charge.refunded", _CHARGE))
        refunds.append(every[-1])
    end = dispute("needs_response")
    if draw(st.booleans()):
        end = dispute(draw(st.sampled_from(["needs_response", "lost", "won"])))
        events += [
            ("charge.dispute.created", dispute()),
            ("charge.dispute.funds_withdrawn", dispute("under_review")),
            ("charge.dispute.closed" if end["status"] != "needs_response" else "charge.dispute.updated", end),
        ]
        if end["status"] == "won":
            events.append(("charge.dispute.funds_reinstated", draw(st.sampled_from([dispute(), end]))))
    return events, answered(payment=intent(), refunds=refunds, of_dispute=end)


def _run(events: list[Told], stripe: Asked) -> set[tuple[str, str]]:
    every: set[tuple[str, str]] = set()
    for kind, about in events:
        paid = any(key == "stripe:purchase:pi_1" for key, _ in every)
        known = BY_PAYMENT if paid else BY_NAME
        one = event(body(kind, about))
        result = translate(one, known, Asked(), live=False)
        if isinstance(result, Ask):
            result = translate(one, known, stripe, live=False)
        assert not isinstance(result, Ask)
        every |= set(told(result)) if isinstance(result, Commands) else set()
    return every


@given(story=_stories(), data=st.data())
def test_any_order_and_any_number_tell_the_same(story: tuple[list[Told], Asked], data: st.DataObject) -> None:
    events, stripe = story
    times = data.draw(st.lists(st.integers(1, 3), min_size=len(events), max_size=len(events)))
    mixed = data.draw(st.permutations([one for one, number in zip(events, times, strict=True) for _ in range(number)]))
    in_order = _run(events, stripe)
    assert _run(mixed, stripe) == in_order
    assert len({key for key, _ in in_order}) == len(in_order), "one key, one operation"
