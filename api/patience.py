"""Waiting for a database that may be silent, by those whose own client waits."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from api.errors import Unavailable

T = TypeVar("T")


async def told_soon(asking: Coroutine[Any, Any, T], seconds: float, complaint: str) -> T:
    """What the database answers within so many seconds. Raises ``Unavailable`` with the complaint where it does not.

    The asking itself is left to end: a driver that is cancelled may take as long to let go.
    """
    task = asyncio.create_task(_told(asking))
    await asyncio.wait({task}, timeout=seconds)
    told = task.result() if task.done() else None
    if told is None:
        raise Unavailable("postgresql", complaint)
    return told[0]


async def _told(asking: Coroutine[Any, Any, T]) -> tuple[T] | None:
    """``None`` where nobody can tell. Raises no ``Unavailable``: it may be that nobody waits for it any more."""
    try:
        return (await asking,)
    except Unavailable:
        return None
