"""A connection that is opened when needed, and again after a loss, since it holds nothing between statements."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from workers.ledger.store.session import Session

_PATIENT: Final[Mapping[str, str]] = {"idle_session_timeout": "0"}
"""Nobody waits for this session's silence: it has no locks."""


class Reopening:
    """Runs single statements. One that fails raises its ``Fault``; the next one connects again if need be."""

    def __init__(self, url: str, *, application_name: str, settings: Mapping[str, str] | None = None) -> None:
        self._url = url
        self._application_name = application_name
        self._settings = {**_PATIENT, **(settings or {})}
        self._session: Session | None = None
        self._opening = asyncio.Lock()

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Mapping[str, Any]]:
        """The rows of one statement."""
        session = await self._open()
        return await session.fetch(sql, *arguments)

    async def fetch_value(self, sql: str, *arguments: object) -> Any:
        """The first column of the first row of one statement; ``None`` where there is no row."""
        session = await self._open()
        return await session.fetch_value(sql, *arguments)

    async def close(self) -> None:
        """Ends the connection, if there is one."""
        if self._session is not None:
            await self._session.close()

    async def _open(self) -> Session:
        async with self._opening:
            if self._session is None or self._session.is_closed:
                self._session = await Session.open(
                    self._url, application_name=self._application_name, settings=self._settings
                )
            return self._session
