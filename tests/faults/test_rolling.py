"""Goal: S25 lets no 5xx pass but a 503 that says when to come again, and few of those."""

from __future__ import annotations

import pytest

from tests.faults.tools.balancer import Answer


@pytest.mark.parametrize(
    ("answer", "failed", "busy"),
    [
        (Answer(200), False, False),
        (Answer(202, retry_after=True), False, False),
        (Answer(429, retry_after=True), False, False),
        (Answer(503, retry_after=True), False, True),
        (Answer(503), True, False),
        (Answer(500, retry_after=True), True, False),
        (Answer(0), True, False),
    ],
)
def test_only_who_is_told_when_to_come_again_was_not_let_down(answer: Answer, failed: bool, busy: bool) -> None:
    assert (answer.failed, answer.busy) == (failed, busy)
