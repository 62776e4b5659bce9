"""The process that owns all others: `python -m ops.supervisor`.

It holds the place's lock, brings everything up in order, keeps it up, and takes it down in order on SIGTERM.
What it does and what became of it stands in `status.json`; its own log is `logs/supervisor.log`.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Literal

from ops import handover, lock, logfiles, orphans, settings, status, trying, version
from ops.answering import Answering
from ops.boot import Boot
from ops.errors import LauncherError, sentence
from ops.handover import Handover
from ops.layout import Pooling
from ops.place import CHECKOUT, Place
from ops.requests import Requests
from ops.roster import Roster
from ops.status import Asked, Board
from ops.takeover import TakeOver
from ops.wish import Wish

# Exit status of a supervisor that found another one in its place (sysexits.h: try again later).
TAKEN = os.EX_TEMPFAIL

log = logging.getLogger(__name__)


async def supervise(place: Place, wish: Wish, board: Board, held: int, left: Handover | None = None) -> None:
    """Bring everything up, or take over what is `left`; keep it up until SIGTERM or SIGINT, take it down.

    `held` is the descriptor of the place's lock. Raises LauncherError when it cannot come up.
    """
    told_to_stop, asked = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    loop.add_signal_handler(signal.SIGUSR1, asked.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, handover.SIGNALS)
    roster, answering = Roster(place, wish, settings.read(), board), Answering(place, board)
    boot = Boot(roster)
    stopping = asyncio.create_task(told_to_stop.wait())
    bounding = asyncio.create_task(logfiles.keep_bounded(place.logs))
    try:
        if left is None:
            await _unless(stopping, boot.run())
        else:
            takeover = TakeOver(roster, answering, board.status.upgrade or Asked(""))
            if await takeover.take(left):  # whole: only what was taken over is taken down in order
                await _unless(stopping, takeover.roll())
            asked.set()  # the version of before may have heard a signal, and had no time to look
        await _until_stopped(Requests(roster, answering, held), asked, stopping)
    finally:
        board.phase("stopping")
        for task in (stopping, bounding):
            task.cancel()
        await asyncio.gather(stopping, bounding, return_exceptions=True)
        place.env.unlink(missing_ok=True)
        await boot.drain()


async def _unless(stopping: asyncio.Task[Literal[True]], work: Coroutine[Any, Any, None]) -> None:
    """Do it, but no further than until it is to stop."""
    doing = asyncio.create_task(work)
    await asyncio.wait([doing, stopping], return_when=asyncio.FIRST_COMPLETED)
    if not doing.done():
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
    else:
        doing.result()


async def _until_stopped(requests: Requests, asked: asyncio.Event, stopping: asyncio.Task[Literal[True]]) -> None:
    while not stopping.done():
        asking = asyncio.create_task(asked.wait())
        await asyncio.wait([asking, stopping], return_when=asyncio.FIRST_COMPLETED)
        asking.cancel()
        if asked.is_set() and not stopping.done():
            asked.clear()
            await requests.obey(lambda work: _unless(stopping, work))


def run(place: Place, wish: Wish, left: Handover | None = None) -> str | None:
    """Hold the place and supervise in it; the sentence that ended it, None after a regular stop."""
    with lock.held(place.lock, left.lock if left else None) as held:
        board = board_of(place, left)
        board.publish()
        try:
            asyncio.run(supervise(place, wish, board, held, left))
        except LauncherError as refusal:
            failure = str(refusal)
        except OSError as error:
            failure = sentence(error)
        except Exception as error:  # a fault of ours: told like the others, and kept whole in the log
            log.exception("the launcher failed")
            failure = f"The launcher failed by a fault of its own ({error!r}): see {place.logs}/supervisor.log."
        else:
            place.status.unlink(missing_ok=True)
            return None
        board.status.failure = failure
        with contextlib.suppress(OSError):  # the disk may be what failed; the log has it too
            board.phase("failed")
        return failure


def board_of(place: Place, left: Handover | None) -> Board:
    """An empty one, once what a killed supervisor left has ended; or that of the version of before, which goes on."""
    told = status.load(place.status)
    if left is None:
        orphans.stop(told)
        for stale in (place.env, place.rotation, place.upgrade):
            stale.unlink(missing_ok=True)
    board = Board(place.status, told if left else None)
    board.status.version = version.of(CHECKOUT)
    board.status.mixed = left is not None
    return board


def main() -> int:
    """The program; its exit status is 1 when what it was asked for could not be had."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--partitions", type=int)
    parser.add_argument("--database", required=True)
    parser.add_argument("--servers-only", action="store_true")
    parser.add_argument("--with-stand-in", action="store_true")
    parser.add_argument("--monitored", action="store_true")
    parser.add_argument("--pgbouncer", type=int, metavar="CONNECTIONS", help="0: as many as its configuration says")
    parser.add_argument(handover.CHECK, action="store_true", help="only say whether this version could take over")
    parser.add_argument(handover.TAKING_OVER, action="store_true", help="from the version that this process was before")
    asked = parser.parse_args()
    logging.basicConfig(format="%(asctime)sZ %(levelname)s %(name)s %(message)s", level=logging.INFO, stream=sys.stdout)
    logging.Formatter.converter = time.gmtime
    logging.getLogger("httpx").setLevel(logging.WARNING)
    wish = Wish(
        workers=asked.workers,
        partitions=asked.partitions,
        processes=not asked.servers_only,
        database=asked.database,
        with_stand_in=asked.with_stand_in,
        monitored=asked.monitored,
        pooling=None if asked.pgbouncer is None else Pooling(asked.pgbouncer or None),
    )
    place = Place(asked.home)
    try:
        if asked.check:
            return trying.main(place, wish)
        failure = run(place, wish, handover.take(place) if asked.taking_over else None)
    except lock.PlaceTakenError as taken:
        log.error("%s", taken)  # noqa: TRY400 - no trace: the sentence says it all
        return TAKEN
    except LauncherError as refusal:
        failure = str(refusal)
    if failure:
        log.error("%s", failure)
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
