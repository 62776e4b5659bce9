"""S43: a backup under load, and another place made of it, as of a moment in the middle of that load."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import aio_pika
import asyncpg

from contracts.topology import DEAD_QUEUE, WORKER_LOGIN
from ops import layout, state, urls
from ops.backup import restoring, taking
from ops.instance import Instance, started
from ops.management import Management
from ops.place import CHECKOUT, Place
from ops.programs import ProcessSettings, python, run_environment
from ops.settings import Settings
from ops.wish import Wish
from tests.faults.oracle.books import Books, Row, read_books
from tests.faults.oracle.client import Client, in_flight
from tests.faults.oracle.dead import read_dead
from tests.faults.oracle.eventlog import read_log
from tests.faults.oracle.events import Position, positions
from tests.faults.oracle.journal import Attempt, Journal, Told
from tests.faults.oracle.judge import audit
from tests.faults.oracle.outcomes import attempts_by_key, class_of_key
from tests.faults.oracle.probing import probe, probe_users
from tests.faults.scenario import scenario
from tests.faults.stage import PATIENCE, Stage

Key = tuple[str, str]

_BY_HAND: Final = "by-hand"
"""A login and a queue that somebody made at the broker without telling us."""
_AT_ONCE: Final = 100
_WORKERS: Final = 2
_SLACK_SECONDS: Final = 5.0
"""A row is dated when its batch begins, and is there when that is committed."""


@scenario("S43", "a backup under load, and a place restored to a moment in the midst of it", recovers=60, archived=True)
async def s43(stage: Stage) -> None:
    """The restored place is held against what clients were told by the first one, which goes on unharmed."""
    await stage.workers.start(_WORKERS)
    await _make_by_hand(stage.instance)
    letter = f"{stage.run}:letter"
    await _keep_letter(stage.instance, letter)
    stage.dead.add(letter)
    with tempfile.TemporaryDirectory(prefix="mana-restored-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the servers' own users pass through it
        async with stage.load():
            await stage.pass_time(fast=2, usual=20, nightly=60)
            began = time.monotonic()
            await taking.take(stage.instance, folder / "backup", _unwatched)
            stage.figure("seconds of the backup", time.monotonic() - began)
            stage.injected("backups under load")
            await stage.pass_time(fast=2, usual=20, nightly=60)
            moment = await _now(stage.database_url)
            await stage.pass_time(fast=2, usual=20, nightly=60)
        await stage.recovers("the load is over")
        await _archived(stage.instance)
        began = time.monotonic()
        place = Place(folder / "place")
        await restoring.restore(place, restoring.Wish(folder / "backup", moment), Settings(), _unwatched)
        stage.figure("seconds of the restore", time.monotonic() - began)
        async with _up(place, stage) as there:
            await _judge(stage, there, moment, began)
            kept = await read_dead(there.env["MANA_AMQP_URL"])
            stage.must([letter in copy.names for copy in kept] == [True], f"other letters than one came back: {kept}")


async def _judge(stage: Stage, there: Instance, moment: datetime, began: float) -> None:
    told, here = await stage.told(), stage.database_url
    restored = there.env["MANA_DATABASE_OWNER_URL"]
    stage.must((said := await audit(restored)) is None, f"the restored books do not verify: {said}")
    first = await read_books(here, told.users)
    books = await read_books(restored, told.users)
    lost = _lost(told, books)
    stage.injected("acknowledged commands behind the moment, each known by its key", len(lost))
    stage.must(lost, "nothing was acknowledged behind the moment")
    _hold_against(stage, first, books, lost, moment)
    await _name_the_gap(stage, first, books, told.users)
    stage.must(await _has_what_was_made_by_hand(there), "what was made at the broker by hand is not there")
    again = Journal(stage.folder / "restored.jsonl", stage.run)
    async with Client(there.env["MANA_AMQP_URL"], again) as client:
        probed = await probe_users(client, restored, sorted(told.users), stage.scenario.partitions)
        stage.must(None not in (await probe(client, probed, PATIENCE)).values(), "not every partition answers")
        stage.recovered("from the restore's beginning until all partitions answer", time.monotonic() - began)
        await _send_again(stage, client, told, lost, books)
    stage.must((said := await audit(restored)) is None, f"what came after broke the restored books: {said}")
    await _republish(stage, there, told.users)


def _lost(told: Told, books: Books) -> set[Key]:
    """What clients were told is done, and the restored books know nothing of."""
    known = set(books.by_key()) | books.keys
    acknowledged = (key for key, tries in attempts_by_key(told).items() if class_of_key(told, tries) == "acknowledged")
    return {key for key in acknowledged if key not in known}


def _hold_against(stage: Stage, first: Books, books: Books, lost: Collection[Key], moment: datetime) -> None:
    """All that was there before the moment is there, as it was; and nothing of later."""
    there, at = {row.id: row for row in books.rows}, moment.timestamp()
    for row in first.rows:
        kept = there.get(row.id)
        stage.must(kept is None or kept == row, f"user {row.user}, key {row.key}: is another row than it was")
        if row.created_at > at:
            stage.must(kept is None, f"user {row.user}, key {row.key}: came after the moment, and is there")
        elif row.created_at < at - _SLACK_SECONDS:
            stage.must(kept is not None, f"user {row.user}, key {row.key}: was there before the moment, and is not now")
    dated = {(row.user, row.key): row.created_at for row in first.rows}
    early = [key for key in lost if dated.get(key, at) < at - _SLACK_SECONDS]
    stage.must(not early, f"{len(early)} acknowledged commands from before the moment are lost, such as {early[:3]}")


async def _name_the_gap(stage: Stage, first: Books, books: Books, users: Collection[str]) -> None:
    """The first place's log of events has what the restored books lack, transaction by transaction."""
    told = {_position(row) for row in first.rows}
    log = positions(await read_log(stage.amqp_url, users, told, None))
    missing = told - {_position(row) for row in books.rows}
    stage.must(missing <= log, f"the log of events does not tell of {len(missing - log)} lost transactions")
    stage.figure("transactions that the first log of events tells of, and the restored books lack", len(missing))


async def _send_again(stage: Stage, client: Client, told: Told, lost: Collection[Key], books: Books) -> None:
    """The lost part is carried out once, however often it is sent; what was not lost is not carried out again."""
    tries, rich = attempts_by_key(told), set(await stage.users())
    chosen = [_first(told, tries[key]) for key in lost if key[0] in rich]
    uses = [attempt for attempt in chosen if attempt.op == "use"]
    kept = [
        _first(told, tries[row.user, row.key])
        for row in books.rows
        if row.type == "usage" and row.user in rich and (row.user, row.key) in tries
    ][: len(uses)]
    first = await in_flight(_AT_ONCE, [partial(client.again, attempt) for attempt in uses])
    second = await in_flight(_AT_ONCE, [partial(client.again, attempt) for attempt in uses])
    known = await in_flight(_AT_ONCE, [partial(client.again, attempt) for attempt in kept])
    stage.must(uses, "no use was lost")
    stage.must(all(one.replayed is False for one in first), "a lost use, sent again, was not carried out")
    same = all(a.replayed and a.transaction_id == b.transaction_id for a, b in zip(second, first, strict=True))
    stage.must(same, "a lost use, sent twice, was carried out twice")
    stage.must(all(one.replayed for one in known), "a use that was not lost was carried out again")
    stage.figure("lost uses sent again, each carried out once", len(uses))
    stage.figure("others sent again, each answered as before", len(kept))


def _first(told: Told, tries: list[int]) -> Attempt:
    return told.attempts[tries[0]]


async def _republish(stage: Stage, there: Instance, users: Collection[str]) -> None:
    """The restored broker's log is empty at first: the ledger has all that it lacks, with numbers that go on."""
    settings = ProcessSettings(there.addresses, stage.scenario.partitions).worker()
    child = await asyncio.create_subprocess_exec(
        *python("workers.event_log.republish"), "--from", "1d", cwd=CHECKOUT, env=run_environment(settings),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await child.communicate()
    stage.must(child.returncode == 0, f"events could not be sent again: {said.decode(errors='replace')}")
    books = await read_books(there.env["MANA_DATABASE_OWNER_URL"], users)
    rows = {_position(row) for row in books.rows}
    log = positions(await read_log(there.env["MANA_AMQP_URL"], users, rows, None))
    stage.must(
        log == rows, f"the restored log of events lacks {len(rows - log)} transactions, has {len(log - rows)} more"
    )


def _position(row: Row) -> Position:
    return row.user, row.sequence


@asynccontextmanager
async def _up(place: Place, stage: Stage) -> AsyncGenerator[Instance]:
    """The restored place as ``./mana up`` starts it, beside the first one; ended and removed at the end."""
    async with AsyncExitStack() as stack:
        context = started(place, Wish(_WORKERS, None, database=stage.instance.addresses.database_name))
        there = await asyncio.to_thread(context.__enter__)
        stack.push_async_callback(asyncio.to_thread, context.__exit__, None, None, None)
        yield there


async def _keep_letter(instance: Instance, id_: str) -> None:
    async with await aio_pika.connect(instance.addresses.amqp_as(WORKER_LOGIN)) as connection:
        channel = await connection.channel()
        message = aio_pika.Message(b"{}", correlation_id=id_, user_id=WORKER_LOGIN, delivery_mode=2)
        await channel.default_exchange.publish(message, DEAD_QUEUE)


async def _make_by_hand(instance: Instance) -> None:
    login, password = urls.login_of(instance.addresses.amqp)
    vhost = urls.vhost_of(instance.addresses.amqp)
    async with Management(instance.addresses.management, login, password) as broker:
        await broker.put("users", _BY_HAND, body={"password": "x" * 20, "tags": ""})
        await broker.put("permissions", vhost, _BY_HAND, body={"configure": "^$", "write": "^$", "read": "^by-hand$"})
    async with await aio_pika.connect(instance.addresses.amqp) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(_BY_HAND, durable=True, arguments={"x-queue-type": "quorum"})
        await queue.bind("credits.events", "credits.granted.nobody")


async def _has_what_was_made_by_hand(there: Instance) -> bool:
    login, password = urls.login_of(there.addresses.amqp)
    async with Management(there.addresses.management, login, password) as broker:
        held: dict[str, Any] = await broker.get("definitions")
    return (
        _BY_HAND in {user["name"] for user in held["users"]}
        and ("by-hand", "^by-hand$") in {(one["user"], one["read"]) for one in held["permissions"]}
        and ("credits.events", "by-hand") in {(one["source"], one["destination"]) for one in held["bindings"]}
    )


async def _now(database_url: str) -> datetime:
    connection = await asyncpg.connect(database_url)
    try:
        return await connection.fetchval("SELECT clock_timestamp()")
    finally:
        await connection.close()


async def _archived(instance: Instance) -> None:
    """Returns once all WAL of before is in the archive."""
    remembered = state.load(instance.place.state)
    if remembered is None:
        raise AssertionError("the place has no state")
    administrator = await asyncpg.connect(layout.remembered_postgres(remembered).url)
    try:
        segment = await administrator.fetchval("SELECT pg_walfile_name(pg_switch_wal())")
        while (await administrator.fetchval("SELECT last_archived_wal FROM pg_stat_archiver") or "") < segment:
            await asyncio.sleep(0.05)
    finally:
        await administrator.close()


def _unwatched(_step: str) -> None:
    """Nobody looks on."""
