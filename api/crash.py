"""Named moments of a sign-up's way and of the outbox. They do nothing; tests put something in their place, to see what
is left behind.

What does, and how it is let in, is no part of what is shipped.
"""

from __future__ import annotations


def crash(point: str) -> None:
    """The process has come to ``point``. Nothing happens."""
