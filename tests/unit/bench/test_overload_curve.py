"""An overload's windows: refusals count as endless, answers where they were given, and what was quick only for a while
is no recovery."""

from __future__ import annotations

import pytest

from bench.open_loop import Arrivals, Offer
from bench.overload_curve import Window, seconds_to_recover, windows


def test_windows_tell_arrivals_by_when_they_were_due_and_answers_by_when_they_came() -> None:
    arrivals = Arrivals()
    for number in range(100):
        index = arrivals.add(number / 10)
        if number == 60:
            arrivals.refuse(index)
        else:
            arrivals.answer(index, number / 10 + 2.0)
    first, second = windows(arrivals, Offer(begins=0.0, ends=10.0, first=0, last=100, missing=0))
    assert first == Window(begins=0.0, arrivals=50, refused=0, answers=30, p99_ms=2000.0)
    assert (second.arrivals, second.refused, second.answers) == (50, 1, 49)
    assert second.p99_ms == 2000.0  # one refusal in 50 is beyond the 99th percentile's place


def test_a_window_with_more_refusals_than_one_in_a_hundred_has_no_99th_percentile() -> None:
    arrivals = Arrivals()
    for number in range(100):
        index = arrivals.add(number / 20)
        if number < 2:
            arrivals.refuse(index)
        else:
            arrivals.answer(index, number / 20 + 0.1)
    [window] = windows(arrivals, Offer(begins=0.0, ends=5.0, first=0, last=100, missing=0))
    assert window.p99_ms is None
    assert not window.is_quick


def test_a_later_offer_has_windows_of_its_own_and_the_answers_to_earlier_arrivals() -> None:
    arrivals = Arrivals()
    for due, answered in ((1.0, 8.0), (7.0, 7.1)):
        arrivals.answer(arrivals.add(due), answered)
    [window] = windows(arrivals, Offer(begins=5.0, ends=10.0, first=1, last=2, missing=0))
    assert (window.begins, window.arrivals, window.answers) == (5.0, 1, 2)
    assert window.is_quick


@pytest.mark.parametrize(
    ("quick", "seconds"), [("yyy", 0.0), ("nyy", 5.0), ("nyn", None), ("nynyy", 15.0), ("nnn", None), ("", 0.0)]
)
def test_recovered_is_where_no_slow_window_follows(quick: str, seconds: float | None) -> None:
    after = [Window(0.0, 10, 0, 10, 10.0 if each == "y" else 1000.0) for each in quick]
    assert seconds_to_recover(after) == seconds
