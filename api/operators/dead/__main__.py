"""``python -m api.operators.dead list|show|redrive|drop``: dead letters.

Exit status 0: all that was asked for is done. 1: not all, or there is no such letter. 2: it cannot be meant.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError

from api.broker.dead import Busy, DeadQueue
from api.broker.link import Lost, Rejected
from api.database import Database
from api.errors import Unavailable
from api.operators.dead.acting import Acting
from api.operators.dead.asking import asked, fits
from api.operators.dead.letters import read, why_not
from api.operators.dead.settings import DeadSettings
from api.operators.dead.showing import Entries, table, whole
from api.operators.dead.store import registered_apps
from api.settings import complaints

_NAME: Final = "mana-dead"


async def _run(settings: DeadSettings, given: argparse.Namespace) -> int:
    async with (
        Database.connected(settings.database_url, 1, _NAME) as database,
        DeadQueue.opened(settings.amqp_url) as queue,
    ):
        if given.command == "list":
            return await _list(queue, settings, given)
        if given.command == "show":
            return await _show(queue, settings, given, database)
        acting = Acting(queue, database, settings.logins, await registered_apps(database), _say)
        return await acting.act(given)


async def _list(queue: DeadQueue, settings: DeadSettings, given: argparse.Namespace) -> int:
    entries, left = Entries(), await queue.waiting()
    async for kept in queue.each():
        left -= 1
        letter = read(kept, settings.logins.system)
        if fits(given, letter):
            entries.add(letter.summary)
        if len(entries) >= given.limit:
            break
    sys.stdout.write(table(entries.all(), left))
    return 0


async def _show(queue: DeadQueue, settings: DeadSettings, given: argparse.Namespace, database: Database) -> int:
    entries = Entries()
    async for kept in queue.each():
        letter = read(kept, settings.logins.system)
        if fits(given, letter):
            entries.add(letter)
    found = entries.all()
    if len(found) != 1:
        sys.stderr.write(f"{len(found) or 'No'} letters have ids that begin with {given.ids[0]}.\n")
        return 1
    letter = found[0].letter
    sys.stdout.write(whole(found[0], why_not(letter, settings.logins, await registered_apps(database))))
    return 0


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}.\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    given = asked(arguments)
    try:
        settings = DeadSettings()  # pyright: ignore[reportCallIssue] - the environment gives them
        return asyncio.run(_run(settings, given))
    except ValidationError as error:
        sys.stderr.write("\n".join(complaints(error)) + "\n")
        return 2
    except Rejected:
        sys.stderr.write("The ledger's queue is full: what is not said to be done was left where it was.\n")
    except Busy:
        sys.stderr.write("Somebody else looks through the dead letters now: try again when that has ended.\n")
    except Lost as error:
        sys.stderr.write(f"The broker is away ({error}): what is not said to be done may be done again.\n")
    except Unavailable as error:
        sys.stderr.write(f"{error}: what is not said to be done was left where it was.\n")
    except KeyboardInterrupt:
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
