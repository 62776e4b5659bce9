"""The face of what counts requests and attempts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from api.throttle.classes import Backoff, LimitClass


@dataclass(frozen=True)
class Charge:
    """One request of a class on a subject's account: an address, a typed e-mail address, a user.

    The subject never leaves the process as it is, only its keyed hash.
    """

    limit: LimitClass | Backoff
    subject: bytes


@dataclass(frozen=True)
class Verdict:
    """Whether all charges were taken, and the figures of the tightest of them; times in whole seconds.

    ``reset`` is the time until the whole quota is there again, or, where nothing was taken, until something can be
    (``retry_after``, 0 else).
    """

    allowed: bool
    limit: str
    quota: int
    window: int
    remaining: int
    reset: int
    retry_after: int


class Limiter(Protocol):
    """Counts by class and subject; never "no limit", also where the counters' server is away.

    All of it raises ``Unavailable`` where nothing can be counted, which then must not be done.
    """

    async def take(self, *charges: Charge) -> Verdict:
        """Takes all charges or none."""
        ...

    async def give_back(self, *charges: Charge) -> None:
        """Undoes charges that were taken for what did not happen, or did no harm."""
        ...

    async def forget(self, *charges: Charge) -> None:
        """Begins anew for these classes and subjects."""
        ...
