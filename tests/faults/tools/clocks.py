"""Wrong clocks: of single processes, by libfaketime, and of PostgreSQL, as our sessions ask it for the time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import time
from typing import Final

import httpx

from ops import packages
from tests.faults.tools.errors import ToolError
from tests.faults.tools.kept import Kept
from tests.faults.tools.postgres import Database
from tests.faults.tools.telling import until

_LIBRARY: Final = "*/faketime/libfaketimeMT.so.1"
_SHARED: Final = Path("/dev/shm")
_TOLD_SECONDS: Final = 3.0
"""A process tells its time in whole seconds, and looks up its clock's error once in a second."""
_OBEYED_SECONDS: Final = 30.0
_NOTICE: Final = timedelta(seconds=2)
_INSTALL: Final = """
CREATE SCHEMA test_clock;
GRANT USAGE ON SCHEMA test_clock TO PUBLIC;
CREATE TABLE test_clock.errors (since timestamptz PRIMARY KEY, ahead interval NOT NULL);
GRANT SELECT ON test_clock.errors TO PUBLIC;
CREATE FUNCTION test_clock.now() RETURNS timestamptz STABLE LANGUAGE sql AS $$
    SELECT pg_catalog.now() + coalesce(
        (SELECT ahead FROM test_clock.errors WHERE since <= pg_catalog.now() ORDER BY since DESC LIMIT 1), '0'
    )
$$;
"""


async def libfaketime() -> Path | None:
    """The library, installed from the system's packages where that can be done; ``None`` where it cannot be had."""
    await asyncio.to_thread(packages.offer, "faketime", "faketime", lambda _line: None)
    return next(iter(sorted(Path("/usr/lib").glob(_LIBRARY))), None)


class ProcessClock:
    """The clock of one process, as far as it is a calendar: what measures how long something takes goes right."""

    def __init__(self, library: Path, file: Path) -> None:
        self._library = library
        self._file = file
        self.set(0)

    @property
    def environment(self) -> Mapping[str, str]:
        """What the process is to be started with."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, ahead: float) -> None:
        """Makes it wrong by so many seconds, within a second."""
        whole = self._file.with_suffix(".new")
        whole.write_text(f"{ahead:+.0f}\n", encoding="ascii")
        whole.replace(self._file)

    async def obeyed(self, process: Kept, ahead: float) -> None:
        """Returns once the process goes by it. Raises ``AssertionError``."""

        async def look() -> bool:
            return abs(await told_ahead(process.url) - ahead) <= _TOLD_SECONDS

        await until(look, f"{process.name} is {ahead:+.0f} s ahead", _OBEYED_SECONDS)
        _tidy(process.pid)


async def told_ahead(url: str) -> float:
    """By how many seconds a process's clock is ahead of ours, as its HTTP tells it (RFC 9110, Date)."""
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{url}/health/live")
    return parsedate_to_datetime(answer.headers["date"]).timestamp() - time()


def _tidy(pid: int) -> None:
    """Removes what the library shares with children, which ours do not have, and leaves behind where a process ends."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        (_SHARED / name).unlink(missing_ok=True)


class DatabaseClock:
    """``now()`` of all sessions that roles begin from here on, for good: ours is found before PostgreSQL's own.

    As its own it stands still during a transaction. Timers of the server itself go right.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def install(self, role: str) -> None:
        """Makes the clock, which goes right until it is set, and lets the role have it."""
        await self._database.execute(_INSTALL)
        await self._database.execute(f"ALTER ROLE {role} SET search_path = test_clock, pg_catalog")

    async def now(self) -> datetime:
        """What it shows."""
        ((now,),) = await self._database.fetch("SELECT test_clock.now()")
        return now

    async def set(self, to: datetime) -> None:
        """Returns when it shows this. Raises ``ToolError`` where it took too long to be set for all at once."""
        ((real,),) = await self._database.fetch("SELECT clock_timestamp()")
        # Known to all before it holds for any: else it would jump in the midst of transactions that are under way.
        since = real + _NOTICE
        await self._database.execute("INSERT INTO test_clock.errors VALUES ($1, $2)", since, to - since)
        ((real,),) = await self._database.fetch("SELECT clock_timestamp()")
        if real >= since:
            raise ToolError("the database's clock was set too slowly: some transactions may have seen two times")
        await asyncio.sleep((since - real).total_seconds())
