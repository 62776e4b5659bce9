"""What the subscriber that keeps up counts, and how answer times with and without a sick one are judged."""

from __future__ import annotations

import json

from bench.course import Measured
from bench.rounds import Round, to_rows
from bench.subscriber import Subscriber, Verdict
from bench.subscribers_goals import (
    BEHIND,
    BOTH_HEALTHY,
    CASES,
    HEALTHY,
    REFUSING,
    Followed,
    all_followed,
    injected,
    ratios,
    unchanged,
)


def _event(user: str, sequence: int, kind: str = "credits.used") -> bytes:
    return json.dumps({"type": kind, "subject": user, "sequence": sequence, "data": {}}).encode()


def _verdict(*events: bytes) -> Verdict:
    subscriber = Subscriber()
    for event in events:
        subscriber.note(event)
    return subscriber.verdict


def test_order_is_by_user_and_begins_anywhere() -> None:
    assert _verdict(_event("a", 7), _event("b", 1), _event("a", 8), _event("b", 2)) == Verdict(usages=4)


def test_other_events_are_followed_too_but_are_no_usages() -> None:
    assert _verdict(_event("a", 7), _event("a", 8, "credits.granted"), _event("a", 9)) == Verdict(usages=2)


def test_repeats_and_gaps_are_told_apart() -> None:
    assert _verdict(_event("a", 7), _event("a", 8), _event("a", 7)) == Verdict(usages=2, repeats=1)
    assert _verdict(_event("a", 7), _event("a", 9)) == Verdict(usages=2, out_of_order=1)


def _rows(p50: dict[str, float]) -> list[Round]:
    return [
        Round(case, Measured(1000.0, p50[case] + extra, 2 * p50[case], 100, 110), {}, 0.0, None)
        for case in CASES
        for extra in (-0.1, 0, 0.1)
    ]


def test_answer_times_are_judged_against_those_beside_a_healthy_subscriber() -> None:
    rows = to_rows(_rows(dict(zip(CASES, (8.0, 9.0, 10.0, 10.9, 12.0), strict=True))))
    judged = {goal.name: (goal.figure, goal.reached) for goal in unchanged(rows)}
    assert judged == {
        f"{REFUSING}: p50, by a healthy one's": (1.09, True),
        f"{REFUSING}: p99, by a healthy one's": (1.09, True),
        f"{BEHIND}: p50, by a healthy one's": (1.2, False),
        f"{BEHIND}: p99, by a healthy one's": (1.2, False),
    }
    assert ratios(rows)[f"{HEALTHY} / no subscriber"] == "p50 1.125, p99 1.125"


def test_every_event_must_have_come_and_the_full_queue_must_have_refused() -> None:
    followed = [
        Followed(HEALTHY, 100, 0, Verdict(usages=100)),
        Followed(BOTH_HEALTHY, 100, 0, Verdict(usages=100)),
        Followed(REFUSING, 100, 50, Verdict(usages=99)),
        Followed(BEHIND, 100, 0, Verdict(usages=100, out_of_order=1)),
    ]
    missed = [goal.name for goal in all_followed(followed) if not goal.reached]
    assert missed == [
        f"{REFUSING}: events that it got, of 100",
        f"{BEHIND}: events that it got out of order",
        f"{REFUSING}: events that it refused, of all",
    ]
    assert injected(followed) == {"refused by the full queue": "50 of 100 events"}
