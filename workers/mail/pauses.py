"""How long an order waits after a try that failed, and when it is given up. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

ATTEMPTS_MAX: Final = 12
"""The last one comes some six hours after the first."""
_FIRST: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(hours=1)


def pause_after(attempts: int) -> timedelta | None:
    """The pause after so many attempts, doubling up to an hour; ``None``: that was the last one."""
    if attempts >= ATTEMPTS_MAX:
        return None
    return min(_FIRST * 2 ** (attempts - 1), _LONGEST)
