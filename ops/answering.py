"""What became of what a running place's supervisor was asked for."""

import logging
from collections.abc import Awaitable

from ops.errors import LauncherError, sentence
from ops.place import Place
from ops.status import Asked, Board

log = logging.getLogger(__name__)


class Answering:
    """Of one place: writes it into the status, and fails at nothing."""

    def __init__(self, place: Place, board: Board) -> None:
        self._place = place
        self._board = board

    async def answer(self, told: Asked, work: Awaitable[None]) -> None:
        """Do what was asked for; what became of it stands in `told`, which has ended then."""
        await self.succeeds(told, work)
        self.end(told)

    async def succeeds(self, told: Asked, work: Awaitable[None]) -> bool:
        """Do a part of it; where that fails, why stands in `told`."""
        try:
            await work
        except LauncherError as refusal:
            log.error("%s", refusal)  # noqa: TRY400 - the sentence says it all
            told.failure = str(refusal)
        except OSError as error:
            log.exception("what was asked for failed")
            told.failure = sentence(error)
        except Exception as error:  # a fault of ours: told like the others, and no reason to take everything down
            log.exception("what was asked for failed")
            told.failure = f"a fault of the launcher's own ({error!r}): see {self._place.logs}/supervisor.log"
        return told.failure is None

    def end(self, told: Asked) -> None:
        """Nothing more is done for it."""
        told.ended = True
        self._board.step("ready")
