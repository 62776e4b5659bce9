"""What the parts of a request cost by themselves: the same work without a request around it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from bench.course import Course, Measured, measured


async def side_by_side(
    work: Callable[[], Awaitable[object]],
    at_once: int,
    seconds: float,
    around: Callable[[], None],
    *,
    warm_up: float = 1.0,
) -> Measured:
    """So many at a time, each behind the one before; otherwise as `bench.load.ClosedLoop.measure`.

    Raises whatever the work raises.
    """
    course, under_way = Course(), at_once

    async def one_after_the_other() -> None:
        nonlocal under_way
        try:
            while course.sending:
                began = time.perf_counter()
                await work()
                course.answered(time.perf_counter() - began)
        except Exception as error:
            course.fail(error)
        under_way -= 1
        if not under_way:
            course.came_to_rest()

    tasks = [asyncio.create_task(one_after_the_other()) for _ in range(at_once)]
    try:
        return await course.run(warm_up, seconds, around)
    finally:
        course.sending = False
        await asyncio.gather(*tasks)


def in_a_row(work: Callable[[], object], seconds: float, around: Callable[[], None]) -> Measured:
    """In one thread, and nothing else meanwhile; without a warm-up, since nothing is to be connected."""
    latencies = list[float]()
    around()
    began = at = time.perf_counter()
    while at < began + seconds:
        work()
        before, at = at, time.perf_counter()
        latencies.append(at - before)
    around()
    return measured(latencies, at - began, len(latencies))
