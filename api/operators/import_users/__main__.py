"""``python -m api.operators.import_users FILE``: users of another system become ours.

It may be broken off at any moment: run again with the same file, it goes on where it was.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from api.broker.client import BrokerClient
from api.broker.commands import Broker
from api.errors import Unavailable
from api.metrics import BrokerMetrics
from api.operators.import_users.crediting import Crediting
from api.operators.import_users.judging import Importable, judge
from api.operators.import_users.reading import Format, Line, NoUsersFile, hash_of, read
from api.operators.import_users.rejecting import Rejects, path_for
from api.operators.import_users.writing import AnotherRuns, ImportStore
from api.operators.settings import OwnerSettings
from api.settings import complaints

BATCH: Final = 1_000
_TAKEN: Final = "email is another user's, or that of an earlier line"


@dataclass(frozen=True)
class Wish:
    """What is asked for."""

    file: Path
    form: Format
    signup_bonus: bool


@dataclass
class Count:
    """What became of the lines; ``opened`` are accounts of this run."""

    added: int = 0
    before: int = 0
    rejected: int = 0
    opened: int = 0


async def run(settings: OwnerSettings, wish: Wish) -> Count:
    """Imports the file. Raises ``NoUsersFile``, ``AnotherRuns``, ``Unavailable``, and ``OSError``."""
    count = Count()
    async with ImportStore.opened(settings.database_url, hash_of(wish.file)) as store:
        with Rejects.of(wish.file) as rejects:
            for lines in _batches(read(wish.file, wish.form)):
                await _write(store, rejects, lines, count)
                _say(f"line {lines[-1].number}: {count.added + count.before} users, {rejects.count} lines rejected")
            count.rejected = rejects.count
        async with _connected(settings.mana_amqp_url) as broker:
            await _credit(Crediting(store, broker, signup_bonus=wish.signup_bonus), count)
    return count


@asynccontextmanager
async def _connected(url: str) -> AsyncGenerator[Broker]:
    """The broker, connected to again whenever that is lost; while it is away, sending says so."""
    broker = BrokerClient(url, BrokerMetrics(CollectorRegistry()))
    connecting = asyncio.create_task(broker.keep_connected())
    try:
        yield broker
    finally:
        connecting.cancel()
        with suppress(asyncio.CancelledError):
            await connecting


def _batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    while batch := list(islice(lines, BATCH)):
        yield batch


async def _write(store: ImportStore, rejects: Rejects, lines: Iterable[Line], count: Count) -> None:
    users = dict(_judged(lines, rejects))
    if not users:
        return
    written = await store.add(users)
    for line in sorted(users.keys() - written.added - written.before):
        rejects.add(line, _TAKEN)
    count.added += len(written.added)
    count.before += len(written.before)


def _judged(lines: Iterable[Line], rejects: Rejects) -> Iterator[tuple[int, Importable]]:
    for line in lines:
        try:
            user = judge(line.fields, typed=line.typed)
        except ValueError as error:
            rejects.add(line.number, line.problem or str(error))
        else:
            yield line.number, user


async def _credit(crediting: Crediting, count: Count) -> None:
    after = 0
    while page := await crediting.open_page(after):
        after = page[-1].line
        count.opened += len(page)
        _say(f"line {after}: accounts are opened")


def _say(progress: str) -> None:
    sys.stderr.write(progress + "\n")
    sys.stderr.flush()


def _wish(arguments: Sequence[str] | None) -> Wish:
    parser = argparse.ArgumentParser(prog="./mana users import", description="Import users of another system.")
    parser.add_argument("file", metavar="FILE", type=Path, help="columns: email, name, hash, verified, balance")
    parser.add_argument("--format", choices=("jsonl", "csv"), help="by default what FILE's name ends with")
    parser.add_argument("--signup-bonus", action="store_true", help="open the accounts with the signup bonus besides")
    asked = parser.parse_args(arguments)
    form: str = asked.format or asked.file.suffix.removeprefix(".").lower()
    if form not in ("jsonl", "csv"):
        parser.error(f"{asked.file} ends with neither .jsonl nor .csv: say --format")
    return Wish(asked.file, form, asked.signup_bonus)


def _told(wish: Wish, count: Count) -> str:
    before = f", {count.before} before" if count.before else ""
    rejected = f", {count.rejected} lines rejected: see {path_for(wish.file)}" if count.rejected else ""
    return f"{count.added} users imported{before}, {count.opened} accounts opened{rejected}."


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 when all lines were dealt with, 1 where it broke off, 2 for what cannot be meant."""
    wish = _wish(arguments)
    try:
        settings = OwnerSettings()  # pyright: ignore[reportCallIssue] - the environment gives them
        count = asyncio.run(run(settings, wish))
    except ValidationError as error:
        sys.stderr.write("\n".join(complaints(error)) + "\n")
        return 2
    except (NoUsersFile, OSError) as error:
        sys.stderr.write(f"{wish.file} cannot be imported: {error}.\n")
        return 2
    except AnotherRuns:
        sys.stderr.write("Another import is under way: wait for its end.\n")
        return 1
    except Unavailable as error:
        sys.stderr.write(f"The import broke off ({error}): run it again, and it goes on.\n")
        return 1
    sys.stdout.write(_told(wish, count) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
