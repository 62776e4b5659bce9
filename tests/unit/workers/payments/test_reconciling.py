"""What counts as a difference from Stripe, and which of them an event can mend."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from io import StringIO

import pytest
from msgspec.structs import replace
from rich.console import Console

from contracts.payments import DisputeState, RefundState
from workers.payments.model import OBJECTS, Named
from workers.payments.reconciling.comparing import compare
from workers.payments.reconciling.looking import TYPES
from workers.payments.reconciling.model import Difference, Here, Known, Mend, There, Told
from workers.payments.reconciling.report import Report
from workers.payments.reconciling.showing import show

_SETTLED = 1_000
_NAME = Named("user", "purchase")
THERE = There(
    id="pi_1",
    status="succeeded",
    cents=500,
    currency="eur",
    created=_SETTLED,
    claims=True,
    named=_NAME,
    refunds={},
    disputes={},
)
HERE = Here(
    account_id="user", id="purchase", cents=500, currency="eur", paid=True, payment="pi_1", refunds={}, disputes={}
)
UNPAID = replace(HERE, paid=False, payment=None)


def _told(state: RefundState | DisputeState | None, cents: int = 500, status: str = "as Stripe says") -> Told:
    return Told(cents, state, status, _SETTLED)


def _compared(there: There | None, here: Here | None) -> list[tuple[str, Mend | None]]:
    return [(one.what, one.mend) for one in compare("pi_1", there, here, _SETTLED)]


@pytest.mark.parametrize(
    ("there", "here"),
    [
        (THERE, HERE),
        (replace(THERE, refunds={"re_1": _told("pending", 5)}), replace(HERE, refunds={"re_1": Known(5, "pending")})),
        (replace(THERE, disputes={"dp_1": _told("won")}), replace(HERE, disputes={"dp_1": Known(500, "won")})),
        (replace(THERE, status="requires_payment_method", cents=0), UNPAID),
        (replace(THERE, status="processing", cents=0), None),
        (replace(THERE, claims=False, named=None), None),
        (None, UNPAID),
        (None, None),
        (replace(THERE, refunds={"re_1": _told("succeeded")}), replace(HERE, payment="pi_first")),
        (replace(THERE, disputes={"dp_1": _told("lost")}), replace(HERE, payment="pi_first")),
        (replace(THERE, status="processing", cents=0), replace(HERE, payment="pi_first")),
    ],
)
def test_what_agrees_and_what_is_not_ours_is_no_difference(there: There | None, here: Here | None) -> None:
    assert _compared(there, here) == []


@pytest.mark.parametrize(
    ("there", "here", "mends"),
    [
        (THERE, UNPAID, [Mend("payment", "pi_1", "succeeded")]),
        (replace(THERE, refunds={"re_1": _told("failed")}), HERE, [Mend("refund", "re_1", "failed")]),
        (
            replace(THERE, refunds={"re_1": _told("succeeded")}),
            replace(HERE, refunds={"re_1": Known(500, "pending")}),
            [Mend("refund", "re_1", "succeeded")],
        ),
        (
            replace(THERE, disputes={"dp_2": _told("open"), "dp_1": _told("lost")}),
            replace(HERE, disputes={"dp_1": Known(500, "open")}),
            [Mend("dispute", "dp_1", "lost"), Mend("dispute", "dp_2", "open")],
        ),
        (
            replace(THERE, refunds={"re_1": _told("pending")}),
            UNPAID,
            [Mend("payment", "pi_1", "succeeded"), Mend("refund", "re_1", "pending")],
        ),
    ],
)
def test_what_stripe_has_and_we_have_not_is_mended_by_an_event(there: There, here: Here, mends: list[Mend]) -> None:
    assert [mend for _, mend in _compared(there, here)] == mends


@pytest.mark.parametrize(
    ("there", "here", "word"),
    [
        (None, HERE, "Stripe knows no such payment"),
        (replace(THERE, status="canceled", cents=0), HERE, "canceled at Stripe"),
        (THERE, None, "a purchase that is not here"),
        (replace(THERE, named=None), None, "a purchase that is not here"),
        (replace(THERE, cents=499), UNPAID, "499 eur came in, the price is 500 eur"),
        (replace(THERE, currency="usd"), HERE, "500 usd came in, the price is 500 eur"),
        (THERE, replace(HERE, payment="pi_first"), "once more: it is paid by pi_first"),
        (
            replace(THERE, refunds={"re_1": _told("succeeded", 499), "re_2": _told("failed", 1)}),
            replace(HERE, payment="pi_first"),
            "once more",
        ),
        (THERE, replace(HERE, refunds={"re_1": Known(5, "succeeded")}), "refund re_1: unknown at Stripe"),
        (THERE, replace(HERE, disputes={"dp_1": Known(5, "open")}), "dispute dp_1: unknown at Stripe"),
        (
            replace(THERE, refunds={"re_1": _told("pending")}),
            replace(HERE, refunds={"re_1": Known(500, "succeeded")}),
            "pending at Stripe, succeeded here",
        ),
        (
            replace(THERE, disputes={"dp_1": _told("lost", 400)}),
            replace(HERE, disputes={"dp_1": Known(500, "lost")}),
            "of 400 at Stripe, of 500 here",
        ),
        (replace(THERE, refunds={"re_1": _told(None, status="odd")}), HERE, "odd, which means nothing to us"),
    ],
)
def test_what_no_event_can_mend_needs_somebody(there: There | None, here: Here | None, word: str) -> None:
    ((what, mend),) = _compared(there, here)
    assert word in what
    assert mend is None


def test_what_happened_just_now_may_be_on_its_way() -> None:
    now = _SETTLED + 1
    (young,) = compare("pi_1", replace(THERE, created=now), UNPAID, _SETTLED)
    (old,) = compare("pi_1", THERE, UNPAID, _SETTLED)
    (unmended,) = compare("pi_1", replace(THERE, created=now, cents=1), UNPAID, _SETTLED)
    assert (young.young, old.young, unmended.young) == (True, False, False)


def test_a_mend_is_the_same_event_for_the_same_state() -> None:
    assert Mend("dispute", "dp_1", "lost").event_id == "mana_dp_1_lost"
    types = {Mend(kind, "x", "y").event_type for kind in ("payment", "refund", "dispute")}
    assert types <= set(OBJECTS)


def test_stripe_takes_no_more_types_in_one_question() -> None:
    assert len(TYPES) <= 20


def _report(*, dry_run: bool = False, **found: object) -> Report:
    report = Report(datetime(2026, 5, 1, tzinfo=UTC), dry_run)
    for name, value in found.items():
        setattr(report, name, value)
    return report


_MENDED = Difference(payment="pi_1", purchase="purchase", what="paid", mend=Mend("payment", "pi_1", "succeeded"))
_ALARM = replace(_MENDED, mend=None)


@pytest.mark.parametrize(
    ("report", "differs", "said"),
    [
        (_report(), False, "Nothing was to be fed."),
        (_report(missing=Counter(a=2), fed=2), False, "2 events were fed, all are done."),
        (_report(fed=2, unfinished=1), False, "2 events were fed, 1 of them are not done yet."),
        (_report(fed=1, differences=[_MENDED]), False, "1 events were fed, all are done."),
        (_report(fed=1, alarmed={"evt_1": "refused: why"}), True, "evt_1: fed, and nothing came of it: refused: why"),
        (_report(differences=[_ALARM]), True, "1 differences are left"),
        (_report(differences=[_ALARM] * 51), True, "1 more differ."),
        (_report(dry_run=True), False, "Nothing was fed."),
        (_report(dry_run=True, missing=Counter(a=1)), True, "never arrived: 1 a"),
        (_report(dry_run=True, on_their_way=Counter(a=1)), False, "happened just now: 1 a"),
        (_report(dry_run=True, differences=[_MENDED]), True, "purchase: pi_1: paid"),
    ],
)
def test_the_report_says_what_is_left(report: Report, differs: bool, said: str) -> None:
    told = StringIO()
    show(report, Console(file=told, width=200), held=False)
    assert said in told.getvalue()
    assert report.differs == differs
