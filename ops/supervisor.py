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
from pathlib import Path
from typing import Literal

import msgspec

from ops import lock, logfiles, orphans, rotation, settings, status
from ops.boot import Boot, Wish
from ops.errors import LauncherError, sentence
from ops.layout import Pooling
from ops.place import Place
from ops.status import Board

# Exit status of a supervisor that found another one in its place (sysexits.h: try again later).
TAKEN = os.EX_TEMPFAIL

log = logging.getLogger(__name__)


async def supervise(place: Place, wish: Wish, board: Board) -> None:
    """Bring everything up, keep it up until SIGTERM or SIGINT, take it down.

    Raises LauncherError when it cannot come up.
    """
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, asked.set)
    boot = Boot(place, wish, settings.read(), board)
    starting = asyncio.create_task(boot.run())
    stopping = asyncio.create_task(told_to_stop.wait())
    bounding = asyncio.create_task(logfiles.keep_bounded(place.logs))
    try:
        await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await _rotate_when_asked(place, boot, asked, stopping)
    finally:
        board.phase("stopping")
        for task in (starting, bounding):
            task.cancel()
        await asyncio.gather(starting, bounding, return_exceptions=True)
        place.env.unlink(missing_ok=True)
        await boot.drain()


async def _rotate_when_asked(
    place: Place, boot: Boot, asked: asyncio.Event, stopping: asyncio.Task[Literal[True]]
) -> None:
    """Until it is to stop. A change of passwords that has begun is ended first."""
    while not stopping.done():
        asking = asyncio.create_task(asked.wait())
        await asyncio.wait([asking, stopping], return_when=asyncio.FIRST_COMPLETED)
        asking.cancel()
        if asked.is_set() and not stopping.done():
            asked.clear()
            try:
                wished = msgspec.json.decode(place.rotation.read_bytes(), type=rotation.Wish)
            except (OSError, msgspec.MsgspecError) as error:
                boot.refuse_rotation(f"it could not be read which passwords are meant ({error})")
                continue
            await boot.rotate(wished)


def run(place: Place, wish: Wish) -> str | None:
    """Hold the place and supervise in it; the sentence that ended it, None after a regular stop."""
    with lock.held(place.lock):
        orphans.stop(status.load(place.status))
        place.env.unlink(missing_ok=True)
        board = Board(place.status)
        board.publish()
        try:
            asyncio.run(supervise(place, wish, board))
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
    try:
        failure = run(Place(asked.home), wish)
    except lock.PlaceTakenError as taken:
        log.error("%s", taken)  # noqa: TRY400 - no trace: the sentence says it all
        return TAKEN
    if failure:
        log.error("%s", failure)
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
