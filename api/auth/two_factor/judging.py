"""What becomes of a second factor that was presented: pure, on what was read under the factor's lock.

Wrong codes are counted for each user, whatever they were presented with and from where; the count ends with a right one
alone. From the tenth on each locks the factor for a time, so that a million codes are out of reach.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from api.auth.two_factor import totp
from api.auth.two_factor.recovery import RecoveryCode

FAILURES_MAX: Final = 10
LOCK: Final = timedelta(minutes=15)
LOCK_MAX: Final = timedelta(hours=24)
ANSWERS_MAX: Final = 5
"""Wrong answers to one challenge, of which the last ends it."""
_DOUBLINGS_MAX: Final = 7
"""Beyond these LOCK_MAX is the shorter one."""


@dataclass(frozen=True)
class Factor:
    """A user's second factor, which is on; ``locked`` is how long it still is, ``None`` where it is not."""

    secret: bytes
    recovery_hashes: Collection[bytes]
    last_step: int
    failures: int
    locked: timedelta | None


@dataclass(frozen=True)
class Presented:
    """Either a code of the authenticator or a recovery code, as it was typed."""

    code: str | None = None
    recovery_code: str | None = None


@dataclass(frozen=True)
class Locked:
    """Nothing was looked at; ``left`` is how long that stays so."""

    left: timedelta


@dataclass(frozen=True)
class Wrong:
    """It does not fit; ``failures`` are those in a row, ``lock`` is how long the factor is locked for it."""

    failures: int
    lock: timedelta | None


@dataclass(frozen=True)
class ByCode:
    """The code of that time step, which is spent with it."""

    step: int


@dataclass(frozen=True)
class ByRecovery:
    """The recovery code with that hash, which is spent; so many others are left."""

    spent: bytes
    left: int


Right: TypeAlias = ByCode | ByRecovery
Judgement: TypeAlias = Right | Wrong | Locked


def judge(factor: Factor, presented: Presented, *, step: int, window: int) -> Judgement:
    """Looks at what was presented in the time step ``step``; codes of ``window`` steps around it are accepted."""
    if factor.locked is not None:
        return Locked(factor.locked)
    right = (
        _by_recovery(factor, presented) if presented.code is None else _by_code(factor, presented.code, step, window)
    )
    return right or Wrong(factor.failures + 1, lock_after(factor.failures + 1))


def lock_after(failures: int) -> timedelta | None:
    """How long the factor is locked for the last of so many failures in a row."""
    beyond = failures - FAILURES_MAX
    return None if beyond < 0 else min(LOCK * 2 ** min(beyond, _DOUBLINGS_MAX), LOCK_MAX)


def _by_code(factor: Factor, code: str, step: int, window: int) -> ByCode | None:
    matching = totp.matching_step(factor.secret, code, now=step, window=window, after=factor.last_step)
    return None if matching is None else ByCode(matching)


def _by_recovery(factor: Factor, presented: Presented) -> ByRecovery | None:
    code = RecoveryCode.parse(presented.recovery_code or "")
    if code is None or not any(hmac.compare_digest(code.hash, kept) for kept in factor.recovery_hashes):
        return None
    return ByRecovery(code.hash, len(factor.recovery_hashes) - 1)
