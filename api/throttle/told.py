"""The verdicts on one request, from where they are made to where its answer is given its header fields."""

from __future__ import annotations

from starlette.types import Scope

from api.throttle.limiter import Verdict

_KEY = "verdicts"


def note(scope: Scope, verdict: Verdict) -> None:
    """Keeps a verdict with its request."""
    scope.setdefault("state", {}).setdefault(_KEY, []).append(verdict)


def tightest(scope: Scope) -> Verdict | None:
    """Of those kept, the one with the least remaining; ``None`` where none is."""
    verdicts: list[Verdict] = scope.get("state", {}).get(_KEY, [])
    return min(verdicts, key=lambda verdict: verdict.remaining, default=None)
