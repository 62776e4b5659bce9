"""How much of one app a worker takes on: so many commands a second, and so many that have no answer yet.

What is more is refused as ``overloaded``, which costs far less than carrying it out: so a flood of one app's leaves its
partitions quickly, and the others' commands behind it do not wait. Pure: the time is passed in.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Final, Literal

from msgspec import Struct

from contracts.apps import App
from contracts.errors import Error

_NARROW: Final = 0.1
"""Of a second's worth."""

Limit = Literal["rate", "unanswered"]


class Limits(Struct, frozen=True):
    """For each app over all workers together, where the app's own row says nothing else."""

    commands_per_second: int
    unanswered_max: int


class Excess(Struct, frozen=True):
    """A command beyond a limit: which one, and after how many whole seconds it may be sent again."""

    limit: Limit
    retry_after: int

    def error(self) -> Error:
        """The refusal."""
        message = "the app sends more commands than it may" if self.limit == "rate" else "too many are unanswered"
        return Error("overloaded", f"{message}: nothing was done", {"retryAfterSeconds": self.retry_after})


class _Bucket(Struct):
    """What may be taken on at once: up to a second's worth, and one command at least."""

    tokens: float
    at: float


class Fairness:
    """Counts for each app. A worker stands for as much of a limit as it owns of the partitions."""

    def __init__(self, limits: Limits, partitions: int) -> None:
        self._limits = limits
        self._partitions = partitions
        self._buckets: dict[str, _Bucket] = {}
        self._unanswered = Counter[str]()
        self._narrow: dict[str, float] = {}

    def share(self, owned: int) -> float:
        """Of all that an app may, the part that this worker grants, where it owns so many partitions."""
        return max(owned, 1) / self._partitions

    def allowed(self, app: App, owned: int) -> float:
        """Commands in a second that the worker takes on of the app's, where it owns so many partitions."""
        return self.share(owned) * (app.commands_per_second or self._limits.commands_per_second)

    def narrow(self, app: App, until: float) -> None:
        """Until then the app may save up no more than a tenth of a second's worth."""
        self._narrow[app.id] = until

    def admit(self, app: App, owned: int, now: float) -> Excess | None:
        """Takes one more command of the app on, to be :meth:`answered`; or says which limit it is beyond.

        ``owned`` of the partitions are the worker's; ``now`` in seconds, never less than before.
        """
        unanswered_max = max(self.share(owned) * (app.unanswered_max or self._limits.unanswered_max), 1)
        if self._unanswered[app.id] + 1 > unanswered_max:
            return Excess("unanswered", 1)
        wait = self._take(app.id, self.allowed(app, owned), now)
        if wait > 0:
            return Excess("rate", math.ceil(wait))
        self._unanswered[app.id] += 1
        return None

    def answered(self, app_id: str, commands: int = 1) -> None:
        """So many that were taken on are answered, or are not ours to answer any more."""
        self._unanswered[app_id] -= commands

    def _take(self, app_id: str, per_second: float, now: float) -> float:
        """Takes a token, where there is one; the seconds until there is, else."""
        room = max(per_second * (_NARROW if now < self._narrow.get(app_id, now) else 1.0), 1.0)
        bucket = self._buckets.get(app_id)
        if bucket is None:
            bucket = self._buckets[app_id] = _Bucket(room, now)
        bucket.tokens = min(room, bucket.tokens + (now - bucket.at) * per_second)
        bucket.at = now
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / per_second
        bucket.tokens -= 1
        return 0.0
