"""``python -m workers.event_log.tail``: shows the events that the log keeps, and those to come, until it is stopped.

Reads with the login of MANA_AMQP_URL, takes nothing out, and holds nobody up.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from contracts.events import decode_event
from contracts.topology import EVENTS_LOG
from workers.broker.errors import BrokerError
from workers.broker.stream import Entry, Offset, StreamReader
from workers.event_log.choosing import read_offset
from workers.event_log.lines import Wish, line

_PATIENCE_SECONDS: Final = 3.0
"""So long a busy broker may take for an entry that it has: where none comes, there is none at or behind the place."""
_QUIET_SECONDS: Final = 0.5
"""What the last chunk holds comes at once; so long a pause is its end."""
_BEHIND_SECONDS: Final = 3.0
"""After what was the last chunk at the start, nobody waits for a quiet that never comes."""

Show = Callable[[Entry], None]


def main(arguments: Sequence[str]) -> int:
    """Answers the exit status."""
    wish = _parser().parse_args(arguments)
    chosen = Wish(wish.user, wish.type, wish.app)

    def show(entry: Entry) -> None:
        text = _text(entry, chosen, as_json=wish.as_json)
        if text is not None:
            print(text, flush=True)

    try:
        asyncio.run(_tail(os.environ["MANA_AMQP_URL"], wish.offset, show, follow=wish.follow))
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:  # whoever read along has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except BrokerError as error:
        print(f"The log of events cannot be read: {error}.", file=sys.stderr)
        return 1
    return 0


async def _tail(url: str, offset: Offset, show: Show, *, follow: bool) -> None:
    if offset == "next" and not follow:
        return
    end = None if follow else await _end(url)
    async with StreamReader.opened(url, EVENTS_LOG, offset) as reader:
        if follow:
            while True:
                show(await reader.next())
        if end is not None:
            await _show_until(reader, end, show)


async def _end(url: str) -> int | None:
    """Where the last chunk of the log begins now; ``None`` for an empty log."""
    async with StreamReader.opened(url, EVENTS_LOG, "last") as reader:
        last = await _soon(reader, _PATIENCE_SECONDS)
    return None if last is None else last.offset


async def _show_until(reader: StreamReader, end: int, show: Show) -> None:
    """Up to that offset, and what is behind it as long as it comes at once."""
    entry = await _soon(reader, _PATIENCE_SECONDS)
    until: float | None = None
    while entry is not None:
        show(entry)
        now = asyncio.get_running_loop().time()
        if until is None and entry.offset >= end:
            until = now + _BEHIND_SECONDS
        if until is not None and now > until:
            return
        entry = await _soon(reader, _PATIENCE_SECONDS if until is None else _QUIET_SECONDS)


async def _soon(reader: StreamReader, within: float) -> Entry | None:
    try:
        async with asyncio.timeout(within):
            return await reader.next()
    except TimeoutError:
        return None


def _text(entry: Entry, wish: Wish, *, as_json: bool) -> str | None:
    try:
        event = decode_event(entry.body)
    except msgspec.DecodeError:
        return None if as_json else f"{entry.offset}: no event, {len(entry.body)} bytes"
    if not wish.fits(event, entry.routing_key):
        return None
    return entry.body.decode() if as_json else line(entry.offset, event, entry.routing_key)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./mana events tail", description="Show events: time, offset, type, user, amount, balance after it."
    )
    parser.add_argument(
        "--from",
        dest="offset",
        type=_offset,
        default="next",
        metavar="PLACE",
        help="first, last (some of the newest), next (the default), an offset, a time such as 2027-01-31T12:00:00Z, or"
        " an age such as 1h; by time it begins somewhat earlier",
    )
    parser.add_argument("--user", metavar="ID", help="this user's alone")
    parser.add_argument("--type", help="of this type alone, such as credits.used")
    parser.add_argument("--app", metavar="ID", help="this app's alone")
    parser.add_argument("--json", dest="as_json", action="store_true", help="the events themselves, one to a line")
    parser.add_argument("--no-follow", dest="follow", action="store_false", help="end where the log ends now")
    return parser


def _offset(text: str) -> Offset:
    try:
        return read_offset(text, datetime.now(UTC))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} {error}") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
