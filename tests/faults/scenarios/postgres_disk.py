"""S10: PostgreSQL's disk is full: no room for rows, then none for its log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg

from tests.faults.scenario import scenario
from tests.faults.servers import disk_of
from tests.faults.stage import Stage
from tests.faults.tools.disk import Disk
from tests.faults.tools.errors import ToolError
from tests.faults.tools.telling import sqlstates, until

_DISK_FULL: Final = "53100"
_FILL_SECONDS: Final = 0.1
_SEEN_SECONDS: Final = 60.0
_TRIES_MAX: Final = 5.0
"""A second, of one worker."""
_SIZES: Final = (110, 300, 500)
"""MiB at first, after the disk was full once, and after it was full twice."""
_GONE: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


@scenario("S10", "PostgreSQL's disk full: for its tables, then for its log", recovers=30, postgres_disk=_SIZES[0])
async def s10(stage: Stage) -> None:
    """What is acknowledged is there, what is not is tried again, slower and slower; room is all that it takes."""
    disk = disk_of(stage.instance)
    await stage.workers.start(2)
    await stage.users(stage.size(fast=100, usual=500, nightly=500))
    async with stage.load():
        await stage.pass_time(fast=1, usual=10, nightly=10)
        await _no_room_for_rows(stage, disk)
        await stage.pass_time(fast=1, usual=10, nightly=10)
        await _no_room_for_the_log(stage, disk)
        await stage.pass_time(fast=1, usual=5, nightly=5)


async def _no_room_for_rows(stage: Stage, disk: Disk) -> None:
    await _next_segment(stage)  # a whole one of the log lies ready: it is the tables that have no room
    async with _full(disk):
        await until(lambda: _seen(stage), f"a worker meets {_DISK_FULL}", _SEEN_SECONDS)
        began, before = time.monotonic(), await _tries(stage)
        await stage.pass_time(fast=3, usual=30, nightly=60)
        tries = (await _tries(stage) - before) / (time.monotonic() - began) / len(stage.workers.all)
    stage.injected(f"writes refused for a full disk ({_DISK_FULL})", await _seen(stage))
    stage.figure("tries a second of a worker while the disk was full", tries)
    stage.must(tries <= _TRIES_MAX, f"a worker tried {tries:.0f} times a second while the disk was full")
    disk.resize(_SIZES[1])
    await stage.recovers("room for rows again", time.monotonic())


async def _no_room_for_the_log(stage: Stage, disk: Disk) -> None:
    before = _panics(stage)
    async with _full(disk):
        await _until_panic(stage, before)
        await stage.pass_time(fast=2, usual=20, nightly=60)
    stage.injected("PostgreSQL ended by a full disk (PANIC)", _panics(stage) - before)
    disk.resize(_SIZES[2])
    room = time.monotonic()
    await stage.database.wait_up()
    stage.figure("PostgreSQL up after there was room again, s", time.monotonic() - room)
    await stage.recovers("room for the log again, and PostgreSQL up", time.monotonic())


async def _until_panic(stage: Stage, before: int) -> None:
    """Has PostgreSQL ask for one segment of its log after the other, until there is none."""
    ends, last = time.monotonic() + _SEEN_SECONDS, ""
    while _panics(stage) == before:
        if time.monotonic() > ends:
            raise ToolError(f"PostgreSQL did not end on a full disk; it last said {last or 'nothing wrong'}")
        try:
            await _next_segment(stage)
        except _GONE as error:  # it has ended, or says that there is no room: the log tells which
            last = repr(error)
            await asyncio.sleep(_FILL_SECONDS)


@asynccontextmanager
async def _full(disk: Disk) -> AsyncGenerator[None]:
    """Whatever room there is or comes is taken at once, until the block ends."""

    async def keep_full() -> None:
        while True:
            disk.fill()
            await asyncio.sleep(_FILL_SECONDS)

    filling = asyncio.create_task(keep_full())
    try:
        yield
    finally:
        filling.cancel()
        with suppress(asyncio.CancelledError):
            await filling


async def _next_segment(stage: Stage) -> None:
    await stage.database.execute("SELECT pg_logical_emit_message(false, 'mana', 'x')")
    await stage.database.execute("SELECT pg_switch_wal()")


async def _seen(stage: Stage) -> int:
    return sqlstates(line for worker in stage.workers.all for line in worker.lines())[_DISK_FULL]


async def _tries(stage: Stage) -> float:
    return sum([await worker.meter("mana_batch_retries_total") for worker in stage.workers.all])


def _panics(stage: Stage) -> int:
    log = stage.instance.place.logs / "postgres.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return sum(1 for line in lines if "PANIC:" in line and "No space left" in line)
