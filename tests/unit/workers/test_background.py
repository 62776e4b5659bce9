"""A part that ends by itself ends the process, with an error: never silently."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from workers.background import Background, BackgroundEndedError


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _at_once() -> None:
    return


async def _fails() -> None:
    raise ValueError("a defect")


async def _given_up() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("part", [_at_once, _fails, _given_up])
async def test_a_part_that_ends_is_told_and_raised(part: Callable[[], Coroutine[None, None, None]]) -> None:
    ended = asyncio.Event()
    background = Background({"this": part(), "that": _for_ever()}, ended.set)
    await asyncio.wait_for(ended.wait(), 1)
    with pytest.raises(BackgroundEndedError, match="this"):
        await background.close()


async def test_a_close_is_no_fault() -> None:
    await Background({"this": _for_ever()}, lambda: pytest.fail("not told")).close()
