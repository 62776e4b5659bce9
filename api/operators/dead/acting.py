"""Letters are sent again, or given up: each act is written down before, and a letter goes only behind its confirm."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Final

from api.broker.dead import DeadQueue
from api.broker.walk import Kept
from api.database import Database
from api.operators.dead.asking import fits
from api.operators.dead.letters import Letter, again, read, why_not
from api.operators.dead.showing import outcome
from api.operators.dead.store import note
from contracts.apps import Apps
from contracts.permissions import Logins

_ANSWER_SECONDS: Final = 10.0
_EXPIRED: Final = "it expired, as its sender wanted: name it by its id to send it all the same"

Say = Callable[[str], None]
"""Told of each letter, as a sentence without its full stop."""


class Acting:
    """Acts on all letters that are asked for, in their order: one user's commands stay in theirs."""

    def __init__(self, queue: DeadQueue, database: Database, logins: Logins, apps: Apps, say: Say) -> None:
        self._queue = queue
        self._database = database
        self._logins = logins
        self._apps = apps
        self._say = say
        self._patience = _ANSWER_SECONDS
        self._left = 0

    async def act(self, given: argparse.Namespace) -> int:
        """The exit status. Raises ``Lost``, ``Rejected``, ``Unavailable``."""
        acted, wanted = 0, set(given.ids)
        async for kept in self._queue.each():
            letter = read(kept, self._logins.system)
            if not fits(given, letter):
                continue
            acted += 1
            wanted = {beginning for beginning in wanted if not letter.id.startswith(beginning)}
            if given.command == "redrive":
                await self._redrive(kept, letter, named=not given.everything)
            else:
                await self._drop(kept, letter, given.because)
        for beginning in sorted(wanted):
            self._say(f"{beginning}: there is no such letter")
        if not acted and not wanted:
            self._say("There are no such letters")
        return 1 if wanted or self._left else 0

    async def _redrive(self, kept: Kept, letter: Letter, *, named: bool) -> None:
        """The broker has it before it goes: whoever dies in between leaves it twice, and its key makes it one."""
        hindrance = why_not(letter, self._logins, self._apps)
        if letter.expired and not named:
            hindrance = _EXPIRED
        if hindrance is not None:
            self._left += 1
            self._say(f"{letter.id}: left where it is: {hindrance}")
            return
        command = again(letter)
        await note(self._database, "dead_letter.redriven", letter)
        await self._queue.send_again(command)
        await self._queue.remove(kept)
        reply = await self._queue.reply(command, self._patience)
        if reply is None:  # nobody works: the others' answers are not waited for
            self._patience = 0.0
        self._say(f"{letter.id}: {letter.command} {outcome(reply)}")

    async def _drop(self, kept: Kept, letter: Letter, because: str) -> None:
        await note(self._database, "dead_letter.dropped", letter, because)
        await self._queue.remove(kept)
        self._say(f"{letter.id}: {letter.command} is given up")
