"""What is told of charges that were judged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from api.throttle.classes import Backoff, LimitClass
from api.throttle.limiter import Charge, Verdict

_SECOND: Final = 1_000_000


def taken(charges: Sequence[Charge], figures: Sequence[tuple[int, int]]) -> Verdict:
    """All were; ``figures`` are each one's remaining and reset in microseconds. The least remaining is the tightest."""
    charge, (remaining, reset) = min(zip(charges, figures, strict=True), key=lambda pair: pair[1][0])
    quota, window = _policy(charge.limit)
    return Verdict(True, charge.limit.name, quota, window, remaining, _seconds(reset), 0)


def refused(charge: Charge, wait: int) -> Verdict:
    """None was, because of this one, for so many microseconds.

    A backoff never tells more than its longest delay: whether it is closed for good is nobody's business.
    """
    quota, window = _policy(charge.limit)
    seconds = _seconds(wait)
    if isinstance(charge.limit, Backoff):
        seconds = min(seconds, window)
    return Verdict(False, charge.limit.name, quota, window, 0, seconds, seconds)


def _policy(limit: LimitClass | Backoff) -> tuple[int, int]:
    if isinstance(limit, LimitClass):
        return limit.quota, _whole(limit.window)
    return limit.free, _whole(limit.longest_delay)


def _whole(time: timedelta) -> int:
    return int(time.total_seconds())


def _seconds(microseconds: int) -> int:
    """Rounded up: whoever waits so long has waited long enough."""
    return -(-microseconds // _SECOND)
