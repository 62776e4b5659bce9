"""When one login sends so much beyond its app's limit that refusing alone may not keep its partition free.

A refusal is cheap, not free. Who sends more than a worker can refuse fills the partition, whatever the limit says, and
the broker then refuses everybody's commands in turn. Pure: times are passed in, in seconds, never less than before.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

REFUSALS_PER_SECOND_MIN: Final = 500
"""So many refusals are never a flood, however low the limit is: a worker refuses some thousand in a second."""
AT_FIRST: Final = 500
"""Refusals beyond that rate after which a login is looked into: a sixth of a second of a flood at full speed."""
AGAIN: Final = 100
"""The same of a login that was paused lately, and may begin again."""
LATELY_SECONDS: Final = 60.0
BACKLOG_RISKY: Final = 1_000
"""Commands that wait in a partition: a third of what it holds by default (``contracts.topology``). At full speed they
are there in 0.3 s. What refusing keeps pace with does not get there.
"""
BACKLOG_RISKY_AGAIN: Final = 300
"""The same beside a login that was paused lately."""


class _Login(Struct):
    """What drips out of ``level`` is what may be refused without being a flood."""

    level: float
    at: float
    paused_until: float | None = None


class Floods:
    """Refusals of each login."""

    def __init__(self) -> None:
        self._logins: dict[str, _Login] = {}

    def refused(self, login: str, allowed: float, now: float) -> bool:
        """Counts one refusal; whether there are so many that the login is to be looked into now.

        ``allowed``: commands in a second that this worker grants the app. Only who is refused as many more is far
        beyond its limit.
        """
        known = self._logins.get(login)
        if known is None:
            known = self._logins[login] = _Login(0.0, now)
        if self._is_paused(known, now):  # what comes now was sent before
            return False
        known.level = max(known.level - (now - known.at) * max(allowed, REFUSALS_PER_SECOND_MIN), 0.0) + 1
        known.at = now
        if known.level < (AGAIN if self.was_paused_lately(login, now) else AT_FIRST):
            return False
        known.level = 0.0
        return True

    def endangers(self, login: str, waiting: int, now: float) -> bool:
        """Whether a login that was looked into is to be paused, where so many commands wait in its partition."""
        return waiting >= (BACKLOG_RISKY_AGAIN if self.was_paused_lately(login, now) else BACKLOG_RISKY)

    def was_paused_lately(self, login: str, now: float) -> bool:
        """Whether its last pause is no more than a minute over."""
        known = self._logins.get(login)
        return known is not None and known.paused_until is not None and now - known.paused_until < LATELY_SECONDS

    def paused(self, login: str, until: float) -> None:
        """It is paused until then."""
        known = self._logins.setdefault(login, _Login(0.0, until))
        known.level, known.at, known.paused_until = 0.0, until, until

    def _is_paused(self, known: _Login, now: float) -> bool:
        return known.paused_until is not None and now < known.paused_until
