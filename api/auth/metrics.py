"""What is counted of sign-ins."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, Literal, TypeVar, get_args

from prometheus_client import CollectorRegistry, Counter

from api.auth.two_factor.challenge import Challenge
from api.errors import Refusal, Unavailable

Step = Literal["password", "second_factor"]
_RESULTS: Final = ("succeeded", "challenged", "unauthorized", "rate_limited", "unavailable")

Outcome = TypeVar("Outcome")


class SignInMetrics:
    """Sign-ins by step and result; a limit of the route's own refuses before, and counts by itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._results = Counter(
            "mana_sign_ins",
            "Sign-ins by step and result: succeeded, challenged for a second factor, unauthorized, rate_limited by"
            " earlier guesses, unavailable",
            ["step", "result"],
            registry=registry,
        )
        for step in get_args(Step):  # there from the start, so that the first one is seen as a rise
            for result in _RESULTS:
                self._results.labels(step, result)

    async def counted(self, step: Step, attempt: Awaitable[Outcome]) -> Outcome:
        """What the attempt comes to, counted; raises what it raises."""
        try:
            outcome = await attempt
        except Refusal as refusal:
            self._results.labels(step, refusal.error.code).inc()
            raise
        except Unavailable:
            self._results.labels(step, "unavailable").inc()
            raise
        self._results.labels(step, "challenged" if isinstance(outcome, Challenge) else "succeeded").inc()
        return outcome
