"""How one counter is judged and moved on: the same as ``counters.lua``, which does it in Redis.

A rate is a leaky bucket, kept as its theoretical arrival time (GCRA, ITU-T I.371): the moment at which all that was
taken will have come back. A backoff is kept as the number of tries in a row, and when the next may come. Moments and
times are whole microseconds, a moment since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from api.throttle.classes import Backoff, LimitClass

_MICROSECOND: Final = timedelta(microseconds=1)


class RateRule(Struct, frozen=True):
    """Another one each ``interval``, and up to ``burst`` at once."""

    interval: int
    burst: int
    kind: Literal["rate"] = "rate"


class BackoffRule(Struct, frozen=True):
    """The figures of a ``Backoff``."""

    free: int
    first_delay: int
    longest_delay: int
    forgotten: int
    closed_at: int
    closed_for: int
    kind: Literal["backoff"] = "backoff"


Rule: TypeAlias = RateRule | BackoffRule


@dataclass(frozen=True)
class Move:
    """What taking one more comes to.

    ``over``: above 0 it must wait so long, and nothing is taken. Else ``value`` is what is kept, for ``kept``
    microseconds, ``remaining`` how many more could be taken at once, and ``reset`` the time until all can be again.
    """

    over: int
    remaining: int
    reset: int
    value: str
    kept: int


def rule_of(limit: LimitClass | Backoff) -> Rule:
    """The class's figures in microseconds."""
    match limit:
        case LimitClass():
            return RateRule(max(1, limit.window // _MICROSECOND // limit.quota), limit.quota)
        case Backoff():
            return BackoffRule(
                free=limit.free,
                first_delay=limit.first_delay // _MICROSECOND,
                longest_delay=limit.longest_delay // _MICROSECOND,
                forgotten=limit.forgotten // _MICROSECOND,
                closed_at=limit.closed_at,
                closed_for=limit.closed_for // _MICROSECOND,
            )


def take(rule: Rule, value: str | None, now: int) -> Move:
    """One more, on a counter that holds ``value``."""
    return _take_rate(rule, value, now) if isinstance(rule, RateRule) else _take_backoff(rule, value, now)


def give_back(rule: Rule, value: str | None, now: int) -> tuple[str, int] | None:
    """The counter with one less, and how long it is kept; ``None``: it need not be kept at all."""
    if value is None:
        return None
    if isinstance(rule, RateRule):
        arrival = int(value) - rule.interval
        return (str(arrival), arrival - now) if arrival > now else None
    tries = _tries(value)[0] - 1
    # Whoever gave back had not to wait: neither has the next.
    return (f"{tries}:0", _kept(rule, tries)) if tries > 0 else None


def _take_rate(rule: RateRule, value: str | None, now: int) -> Move:
    arrival = max(now if value is None else int(value), now) + rule.interval
    ahead = arrival - now
    over = ahead - rule.interval * rule.burst
    return Move(over, max(0, -over // rule.interval), ahead, str(arrival), ahead)


def _take_backoff(rule: BackoffRule, value: str | None, now: int) -> Move:
    tries, free_from = (0, 0) if value is None else _tries(value)
    tries += 1
    delay = _delay(rule, tries)
    kept = _kept(rule, tries)
    return Move(free_from - now, max(0, rule.free - tries), delay or kept, f"{tries}:{now + delay}", kept)


def _delay(rule: BackoffRule, tries: int) -> int:
    """How long after so many tries the next may come."""
    if tries >= rule.closed_at:
        return rule.closed_for
    if tries < rule.free:
        return 0
    return min(rule.longest_delay, rule.first_delay * 2 ** (tries - rule.free))


def _kept(rule: BackoffRule, tries: int) -> int:
    return rule.forgotten if tries < rule.free else rule.closed_for


def _tries(value: str) -> tuple[int, int]:
    tries, _, free_from = value.partition(":")
    return int(tries), int(free_from)
