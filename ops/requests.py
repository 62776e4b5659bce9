"""What a running place's supervisor may be asked for, by SIGUSR1 and a file."""

import logging
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ops import handover, rotation
from ops.answering import Answering
from ops.errors import LauncherError
from ops.handover import Handover
from ops.roster import Roster
from ops.status import Asked

Interruptibly = Callable[[Coroutine[Any, Any, None]], Awaitable[None]]
Wished = TypeVar("Wished")

# The number of a wish that could not be read: nobody's.
UNREAD = ""

log = logging.getLogger(__name__)


class Requests:
    """Of one place. `held` is the descriptor of its lock."""

    def __init__(self, roster: Roster, answering: Answering, held: int) -> None:
        self._roster = roster
        self._place = roster.place
        self._board = roster.board
        self._answering = answering
        self._held = held

    async def obey(self, interruptibly: Interruptibly) -> None:
        """Do what the files ask for. A change of passwords that has begun is ended before anything else."""
        match _taken(self._place.rotation, rotation.Wish):
            case rotation.Wish() as wish:
                await self._rotate(wish)
            case refused:
                self._board.status.rotation = refused or self._board.status.rotation
        match _taken(self._place.upgrade, handover.Wish):
            case handover.Wish() as wish:
                await interruptibly(self._upgrade(wish))
            case refused:
                self._board.status.upgrade = refused or self._board.status.upgrade
        self._board.publish()

    async def _rotate(self, wish: rotation.Wish) -> None:
        told = self._board.status.rotation = Asked(wish.number)
        self._board.step("changing passwords")
        await self._answering.answer(told, self._change(wish.parts))

    async def _change(self, parts: list[rotation.Part]) -> None:
        if self._roster.rotation is None:
            raise LauncherError("An upgrade stopped before all was taken over: ./mana up ends it, then ask again.")
        await self._roster.rotation.run(parts)

    async def _upgrade(self, wish: handover.Wish) -> None:
        """Where it succeeds, nothing comes after it: the version that this process becomes goes on."""
        told = self._board.status.upgrade = Asked(wish.number)
        self._board.step("trying the new version")
        left = Handover(self._held, self._roster.doors.all())
        await self._answering.answer(told, handover.succeed(wish, left, self._place))


def _taken(file: Path, kind: type[Wished]) -> Wished | Asked | None:
    """What a file asks for, once; the answer already, where it cannot be read."""
    try:
        wish = msgspec.json.decode(file.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("%s could not be read: %s", file, error)
        wish = Asked(UNREAD, ended=True, failure=f"what is asked for could not be read ({error})")
    file.unlink(missing_ok=True)
    return wish
