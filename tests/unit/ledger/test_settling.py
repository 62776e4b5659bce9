"""Goal: what is taken, held, owed and borne of a purchase follows from its facts and what is left in its lot."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.ledger.purchases import Disputed, Purchase, Refunded, RefundPolicy, learn
from workers.ledger.rules.settling import Flow, settle

NOW = datetime(2028, 2, 29, 12, tzinfo=UTC)
Fact = Refunded | Disputed


def purchase(size: int = 100, price: int = 1000, *, paid: bool = True, **figures: int) -> Purchase:
    """One with nothing known against it."""
    bare = Purchase(
        account_id="ann",
        id="p",
        credits=size,
        amount=price,
        currency="eur",
        status="completed" if paid else "pending",
        payment_intent_id="pi" if paid else None,
        checkout_session_id=None,
        created_at=NOW,
        completed_at=NOW if paid else None,
        refunds={},
        disputes={},
        taken=0,
        debt=0,
        written_off=0,
        held=0,
    )
    return replace(bare, **figures)


def hear(of: Purchase, *facts: tuple[str, Fact]) -> Purchase:
    for name, fact in facts:
        if isinstance(fact, Refunded):
            learn(of.refunds, name, fact)
        else:
            learn(of.disputes, name, fact)
    return of


SUCCEEDED, OPEN, LOST, WON = "succeeded", "open", "lost", "won"

TABLE: list[tuple[str, Purchase, int, RefundPolicy, list[Flow]]] = [
    ("nothing known", purchase(), 100, "debt", []),
    ("asked for", hear(purchase(), ("r", Refunded(1000, "pending"))), 100, "debt", []),
    ("all back", hear(purchase(), ("r", Refunded(1000, SUCCEEDED))), 100, "debt", [Flow("lot", "stripe", 100)]),
    (
        "all back, 70 used",
        hear(purchase(), ("r", Refunded(1000, SUCCEEDED))),
        30,
        "debt",
        [Flow("lot", "stripe", 30), Flow("debt", "stripe", 70)],
    ),
    (
        "all back, 70 used, and the house bears it",
        hear(purchase(), ("r", Refunded(1000, SUCCEEDED))),
        30,
        "write_off",
        [Flow("lot", "stripe", 30), Flow("written_off", "stripe", 70)],
    ),
    (
        "a part, rounded down",
        hear(purchase(), ("r", Refunded(339, SUCCEEDED))),
        100,
        "debt",
        [Flow("lot", "stripe", 33)],
    ),
    ("too small a part", hear(purchase(), ("r", Refunded(9, SUCCEEDED))), 100, "debt", []),
    (
        "parts are added before they are rounded",
        hear(purchase(taken=33), ("r1", Refunded(339, SUCCEEDED)), ("r2", Refunded(331, SUCCEEDED))),
        67,
        "debt",
        [Flow("lot", "stripe", 34)],
    ),
    (
        "refunded and lost besides: no more than was bought",
        hear(purchase(), ("r", Refunded(700, SUCCEEDED)), ("d", Disputed(1000, LOST))),
        100,
        "debt",
        [Flow("lot", "stripe", 100)],
    ),
    ("a dispute holds what is left", hear(purchase(), ("d", Disputed(1, OPEN))), 60, "debt", [Flow("lot", "held", 60)]),
    (
        "a refund under a dispute is of what is held",
        hear(purchase(held=60), ("d", Disputed(1, OPEN)), ("r", Refunded(1000, SUCCEEDED))),
        0,
        "debt",
        [Flow("held", "stripe", 60), Flow("debt", "stripe", 40)],
    ),
    ("won", hear(purchase(held=60), ("d", Disputed(1, WON))), 0, "debt", [Flow("held", "lot", 60)]),
    (
        "lost in part: the rest is free",
        hear(purchase(held=60), ("d", Disputed(250, LOST))),
        0,
        "debt",
        [Flow("held", "stripe", 25), Flow("held", "lot", 35)],
    ),
    (
        "won after all: debts first, then what the house bore, then the user",
        hear(purchase(taken=100, debt=30, written_off=20), ("d", Disputed(1000, WON))),
        0,
        "debt",
        [Flow("stripe", "debt", 30), Flow("stripe", "written_off", 20), Flow("stripe", "lot", 50)],
    ),
    (
        "a refund failed while a dispute is open: held again",
        hear(purchase(taken=100), ("r", Refunded(1000, "failed")), ("d", Disputed(1, OPEN))),
        0,
        "debt",
        [Flow("stripe", "held", 100)],
    ),
    ("not paid yet", hear(purchase(paid=False), ("r", Refunded(1000, SUCCEEDED))), 0, "debt", []),
]


@pytest.mark.parametrize(("of", "left", "policy", "flows"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_moves(of: Purchase, left: int, policy: RefundPolicy, flows: list[Flow]) -> None:
    assert settle(of, left, policy) == flows


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ([], "completed"),
        ([("r", Refunded(999, SUCCEEDED))], "completed"),
        ([("r", Refunded(1000, "pending"))], "completed"),
        ([("r", Refunded(1000, SUCCEEDED))], "refunded"),
        ([("r", Refunded(1000, SUCCEEDED)), ("r", Refunded(1000, "failed"))], "completed"),
        ([("r1", Refunded(400, SUCCEEDED)), ("r2", Refunded(600, SUCCEEDED))], "refunded"),
        ([("r", Refunded(1000, SUCCEEDED)), ("d", Disputed(1, OPEN))], "disputed"),
        ([("d", Disputed(1, LOST))], "disputed"),
        ([("d", Disputed(1, WON))], "completed"),
        ([("d1", Disputed(1, WON)), ("d2", Disputed(1, OPEN))], "disputed"),
    ],
)
def test_status(facts: list[tuple[str, Fact]], status: str) -> None:
    assert hear(purchase(), *facts).status_by_facts() == status


@pytest.mark.parametrize(("was", "status"), [("pending", "pending"), ("failed", "failed")])
def test_facts_do_not_pay(was: str, status: str) -> None:
    unpaid = hear(purchase(paid=False), ("r", Refunded(1000, SUCCEEDED)), ("d", Disputed(1, OPEN)))
    unpaid.status = "failed" if was == "failed" else "pending"
    assert unpaid.status_by_facts() == status


def follow(of: Purchase, left: int, policy: RefundPolicy) -> int:
    """Carries the flows out; what is left then."""
    for flow in settle(of, left, policy):
        for place, amount in ((flow.source, -flow.amount), (flow.destination, flow.amount)):
            match place:
                case "lot":
                    left += amount
                case "stripe":
                    of.taken += amount
                case "held":
                    of.held += amount
                case "debt":
                    of.debt -= amount
                case _:
                    of.written_off -= amount
        assert min(left, of.taken, of.held, of.debt, of.written_off) >= 0, "never below zero on the way"
    assert not settle(of, left, policy), "once settled it stays so"
    return left


_REFUNDS = st.builds(Refunded, st.integers(1, 1200), st.sampled_from(["pending", "succeeded", "failed"]))
_DISPUTES = st.builds(Disputed, st.integers(1, 1200), st.sampled_from(["open", "lost", "won"]))
FACTS = st.lists(st.tuples(st.sampled_from(["a", "b"]), _REFUNDS | _DISPUTES), max_size=6)


@settings(max_examples=2_000)
@given(
    facts=FACTS,
    data=st.data(),
    size=st.integers(1, 300),
    price=st.integers(1, 1000),
    used=st.integers(0, 300),
    policy=st.sampled_from(["debt", "write_off"]),
)
def test_facts_come_to_the_same_in_any_order_and_number(
    facts: list[tuple[str, Fact]], data: st.DataObject, size: int, price: int, used: int, policy: RefundPolicy
) -> None:
    """Told once in one order, and one to three times each in another, with the credits moved after each."""
    other_way = data.draw(st.permutations([fact for fact in facts for _ in range(data.draw(st.integers(1, 3)))]))
    ends: list[tuple[int, Purchase]] = []
    for telling in (facts, other_way):
        of, left = purchase(size, price), max(size - used, 0)
        for fact in telling:
            left = follow(hear(of, fact), left, policy)
        ends.append((left, of))
    (left, one), (other_left, other) = ends
    assert (left, one) == (other_left, other)
    assert one.taken == one.to_be_taken()
    assert left + one.held + one.taken - one.debt - one.written_off == max(size - used, 0)
    assert left == 0 or not one.is_disputed
    assert one.held == 0 or one.is_disputed
    assert one.debt + one.written_off == max(one.taken - max(size - used, 0), 0)
