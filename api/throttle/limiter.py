"""The face of what counts requests, and a stand-in that counts nothing until there is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from api.throttle.classes import LimitClass


@dataclass(frozen=True)
class Charge:
    """One request of a class on a subject's account: an address, a typed e-mail address, a user.

    The subject never leaves the process as it is, only its keyed hash.
    """

    limit: LimitClass
    subject: bytes


@dataclass(frozen=True)
class Verdict:
    """Whether all charges were taken, and the figures of the tightest of them; times in whole seconds."""

    allowed: bool
    limit: str
    quota: int
    window: int
    remaining: int
    reset: int
    retry_after: int


class Limiter(Protocol):
    """Counts by class and subject; never "no limit", also where the counters' server is away."""

    async def take(self, *charges: Charge) -> Verdict:
        """Takes all charges or none."""
        ...

    async def give_back(self, *charges: Charge) -> None:
        """Undoes charges that were taken for what did not happen, or did no harm."""
        ...

    async def forget(self, *charges: Charge) -> None:
        """Begins anew for these classes and subjects."""
        ...


class NoLimiter:
    """Stand-in: takes every charge and remembers none."""

    async def take(self, *charges: Charge) -> Verdict:
        """Allowed, always."""
        limit = charges[0].limit
        window = int(limit.window.total_seconds())
        return Verdict(True, limit.name, limit.quota, window, limit.quota, 0, 0)

    async def give_back(self, *charges: Charge) -> None:
        """Nothing was taken."""

    async def forget(self, *charges: Charge) -> None:
        """Nothing was remembered."""
