"""When signing keys come and go, so that no request fails by it: every front and every verifier outside knows a key
before it signs, and for as long as tokens of it may live.

Times are seconds since 1970 by the database's clock, which also wrote them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from api.auth.keys import Algorithm

PUBLISHED_SECONDS: Final = 300.0
"""For so long verifiers outside may keep the published keys (``max-age``)."""
LEAD_SECONDS: Final = 2 * PUBLISHED_SECONDS
"""A new key is published for so long before it signs."""
SETTLED_SECONDS: Final = 120.0
"""So long after a new key began to sign, no front signs with an older one any more: each looks every minute."""
SKEW_SECONDS: Final = 60.0
"""By so much may clocks differ."""


@dataclass(frozen=True)
class KeyTimes:
    """When a key does what: signs from ``active_from`` until it is retired, verifies before ``verify_until``."""

    kid: str
    algorithm: Algorithm
    active_from: float
    retired: bool = False
    verify_until: float | None = None


@dataclass(frozen=True)
class KeyRules:
    """Which algorithm signs, for how long one key does, and how long the tokens live that it signs."""

    algorithm: Algorithm = "EdDSA"
    rotation: timedelta = timedelta(days=30)
    token_life: timedelta = timedelta(minutes=15)

    @property
    def linger(self) -> timedelta:
        """How long a retired key still verifies: the last token of it, by any clock, and whoever kept it published."""
        return self.token_life + timedelta(seconds=SKEW_SECONDS + PUBLISHED_SECONDS)


@dataclass(frozen=True)
class Work:
    """What is to be done with the keys: whether one is to be added, signing how soon, and which are to be retired."""

    add: bool
    lead: timedelta
    retire: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.add or bool(self.retire)


def verifies(key: KeyTimes, now: float) -> bool:
    """Whether tokens of it are good; it is published for as long."""
    return key.verify_until is None or now < key.verify_until


def signer(keys: Sequence[KeyTimes], now: float, rules: KeyRules) -> KeyTimes | None:
    """The key to sign with: the newest that may, of the wanted algorithm where there is one."""
    active = [key for key in keys if _is_active(key, now)]
    wanted = [key for key in active if key.algorithm == rules.algorithm]
    return max(wanted or active, key=_age_order, default=None)


def is_pending(key: KeyTimes, now: float) -> bool:
    """Whether it is announced, and will sign later."""
    return not key.retired and key.active_from > now


def work(keys: Sequence[KeyTimes], now: float, rules: KeyRules, imported: str | None) -> Work:
    """What is due. A key that nobody signs before signs at once; any other is announced first, one at a time.

    ``imported`` names the key that the settings bring along: it is added once, and never again after it was withdrawn.
    """
    current = signer(keys, now, rules)
    if current is None:
        return Work(True, timedelta(), ())
    missing = imported is not None and imported not in {key.kid for key in keys}
    aged = current.active_from + rules.rotation.total_seconds() - LEAD_SECONDS <= now
    due = missing or aged or current.algorithm != rules.algorithm
    add = due and not any(is_pending(key, now) for key in keys)
    return Work(add, timedelta(seconds=LEAD_SECONDS), _superseded(keys, current, now))


def _superseded(keys: Sequence[KeyTimes], current: KeyTimes, now: float) -> tuple[str, ...]:
    """Keys that are older than the present signer, once every front signs with that one."""
    if current.active_from > now - SETTLED_SECONDS:
        return ()
    return tuple(key.kid for key in keys if not key.retired and _age_order(key) < _age_order(current))


def _is_active(key: KeyTimes, now: float) -> bool:
    return not key.retired and key.active_from <= now and verifies(key, now)


def _age_order(key: KeyTimes) -> tuple[float, str]:
    return key.active_from, key.kid
