"""``python -m api.operators.dead.copies save FILE`` writes all letters to a new file, and leaves them where they are;
``put FILE`` puts those of a file back into their queues. Both say in the end how many, as JSON.

The file has a letter on each line (``api.broker.put.Letter``). What the broker gave up is written as a worker's copy of
it: only its sender could send it again as it was.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import msgspec
from pydantic import ValidationError

from api.broker.dead import Busy, DeadQueue
from api.broker.link import Lost, Rejected
from api.broker.put import Letter, put
from api.broker.walk import Kept
from api.operators.dead.letters import read
from api.operators.dead.settings import DeadSettings
from api.settings import complaints
from contracts import dead_letters


class Count(msgspec.Struct, frozen=True):
    """How many letters were written or put back; ``left``: how many could not be looked at."""

    done: int
    left: int = 0


def copy(kept: Kept, workers: Collection[str]) -> Letter:
    """As it is to be put back. ``workers`` are the logins whose copies are believed."""
    letter = read(kept, workers)
    if letter.given_up is None:
        headers = {name: str(value) for name, value in kept.headers.items()}
    else:
        envelope = letter.envelope
        told = {
            dead_letters.GIVEN_UP: letter.given_up,
            dead_letters.ROUTING_KEY: envelope.routing_key,
            dead_letters.LOGIN: envelope.login,
            dead_letters.MESSAGE_ID: envelope.message_id,
            dead_letters.CONTENT_ENCODING: envelope.content_encoding,
            dead_letters.ON_BEHALF: envelope.on_behalf,
            dead_letters.DEADLINE: envelope.deadline,
            dead_letters.TRACEPARENT: envelope.traceparent,
            dead_letters.KEPT_AT: None if letter.last is None else letter.last.isoformat(),
        }
        long = dead_letters.HEADER_CHARACTERS_MAX
        headers = {name: str(value)[:long] for name, value in told.items() if value is not None}
    return Letter(kept.queue, kept.type, kept.correlation_id, letter.proven, headers, kept.body)


async def save(settings: DeadSettings, file: Path) -> Count:
    """Writes a file for its owner's eyes. Raises ``Busy``, ``Lost``, ``FileExistsError``."""
    encoder, done = msgspec.json.Encoder(), 0
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
        async with DeadQueue.opened(settings.amqp_url) as queue:
            there = await queue.waiting()
            async for kept in queue.each():
                written.write(encoder.encode(copy(kept, settings.logins.system)) + b"\n")
                done += 1
        written.flush()
        os.fsync(written.fileno())
    return Count(done, max(0, there - done))


async def put_back(settings: DeadSettings, file: Path) -> Count:
    """By a worker's login. Done again after it was broken off it puts letters there twice, which harms nobody: their
    keys make one command of them. Raises ``Lost``, ``Rejected``."""
    return Count(await put(settings.amqp_url, _letters(file)))


def _letters(file: Path) -> Iterator[Letter]:
    decoder = msgspec.json.Decoder(Letter)
    with file.open("rb") as lines:
        for line in lines:
            yield decoder.decode(line)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m api.operators.dead.copies", description=__doc__)
    parser.add_argument("act", choices=("save", "put"))
    parser.add_argument("file", type=Path)
    given = parser.parse_args(arguments)
    try:
        settings = DeadSettings()  # pyright: ignore[reportCallIssue] - the environment gives them
        act = save if given.act == "save" else put_back
        count = asyncio.run(act(settings, given.file))
    except ValidationError as error:
        sys.stderr.write("\n".join(complaints(error)) + "\n")
    except Busy:
        sys.stderr.write("Somebody else looks through the dead letters now.\n")
    except Rejected:
        sys.stderr.write("There is no room for all of them in the queue.\n")
    except (Lost, OSError, msgspec.DecodeError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    else:
        sys.stdout.write(msgspec.json.encode(count).decode() + "\n")
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
