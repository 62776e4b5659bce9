"""Looks for users whose top-up is to be switched off, and for those who are to be topped up. One worker at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from typing import Final, Protocol

import structlog

from workers.ledger.faults import BatchRejected, TryAgain
from workers.payments.rounds import rounds
from workers.payments.topping_up.meters import TopupMeters
from workers.payments.topping_up.store import TopupStore

_log = structlog.get_logger(__name__)

_PAUSE: Final = timedelta(seconds=5)
"""Between two turns, whoever's."""
_LEASE: Final = timedelta(seconds=60)
"""So long a turn is nobody else's; where its worker dies the next one begins then."""
_ASK_SECONDS: Final = 1.0
_AT_ONCE: Final = 100
_FIRST: Final = "00000000-0000-0000-0000-000000000000"


class _Finding(Protocol):
    async def __call__(self, after: str, *, live: bool, most: int) -> list[str]: ...


class Looking:
    """``live``: whether our key moves real money."""

    def __init__(self, store: TopupStore, meters: TopupMeters, live: bool) -> None:
        self._store = store
        self._meters = meters
        self._live = live

    async def run(self) -> None:
        """Turn after turn, until cancelled; one that fails is followed by the next."""
        await rounds(self.round, _ASK_SECONDS, waiting="users who are due wait for the database")

    async def round(self) -> None:
        """One turn, where it is ours."""
        if await self._store.take_turn(live=self._live, lease=_LEASE):
            await self.look()
            await self._store.end_turn(live=self._live, pause=_PAUSE)
        self._meters.looked(await self._store.last_turn(live=self._live))

    async def look(self) -> None:
        """Through all of them. Several at once do no harm."""
        async for account in self._each(self._store.find_stopped):
            if await self._done(self._store.stop, account):
                self._meters.count("stopped")
                _log.info("money went back, and top-up is off", account_id=account)
        async for account in self._each(self._store.find_due):
            if await self._done(self._store.begin, account):
                self._meters.count("begun")

    async def _each(self, find: _Finding) -> AsyncGenerator[str]:
        after = _FIRST
        while found := await find(after, live=self._live, most=_AT_ONCE):
            for account in found:
                yield account
            after = found[-1]

    async def _done(self, act: Callable[[str], Awaitable[bool]], account: str) -> bool:
        """Whether it was; one that is locked for long, or that the database does not take, keeps no others waiting."""
        try:
            return await act(account)
        except TryAgain as fault:
            _log.warning("a user waits for the next turn", account_id=account, reason=str(fault))
            return False
        except BatchRejected as rejected:
            self._meters.alarm(None, f"the database does not take what is due: {rejected}", account_id=account)
            return False
