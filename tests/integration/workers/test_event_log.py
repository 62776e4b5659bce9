"""The operator's programs: what the log shows, and a log that is lost is made again from the ledger."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aio_pika
import asyncpg
import pytest

from contracts.topology import EVENTS_EXCHANGE, EVENTS_LOG, EVENTS_LOG_ARGUMENTS, WORKER_LOGIN
from ops.instance import Instance
from ops.place import CHECKOUT
from ops.programs import python, run_environment
from tests.e2e.client import Client
from tests.integration.api.operators import launch
from tests.integration.workers.events import Subscriber
from tests.integration.workers.running import Running
from workers.event_log import republish, tail

ALL = "1970-01-01T00:00:00Z"
Event = dict[str, Any]


@dataclass(frozen=True)
class Said:
    status: int
    output: str
    errors: str


Program = Callable[..., Awaitable[Said]]


@pytest.fixture
def program(servers: Instance, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    """Runs a program to its end: its main, in a thread, with its own event loop."""
    for name, value in _settings(servers).items():
        monkeypatch.setenv(name, value)

    def status(main: Callable[[Sequence[str]], int], words: Sequence[str]) -> int:
        try:
            return main(words)
        except SystemExit as ended:  # argparse's; an event loop would end with it
            return int(str(ended.code))

    async def run(main: Callable[[Sequence[str]], int], *words: str) -> Said:
        capsys.readouterr()
        ended = await asyncio.wait_for(asyncio.to_thread(status, main, words), 40)
        said = capsys.readouterr()
        return Said(ended, said.out, said.err)

    return run


def _settings(servers: Instance) -> dict[str, str]:
    return {
        "MANA_AMQP_URL": servers.addresses.amqp,
        "AMQP_URL": servers.addresses.amqp_as(WORKER_LOGIN),
        "DATABASE_URL": servers.addresses.database_as("mana_worker"),
    }


async def _log(program: Program, *words: str) -> list[Event]:
    said = await program(tail.main, "--json", "--no-follow", "--from", *words)
    assert (said.status, said.errors) == (0, "")
    return [json.loads(text) for text in said.output.splitlines()]


async def _spend(client: Client, events: Subscriber, users: int, uses: int) -> list[str]:
    """Accounts and their uses; all their events have come."""
    ids = [await client.open_user() for _ in range(users)]
    for number in range(uses):
        await asyncio.gather(*(client.use(user, number + 1) for user in ids))
    for user in ids:
        await events.has(user, uses + 1)
    return ids


async def _lose_the_log(servers: Instance) -> None:
    """As a broker comes back whose disk lost what it had confirmed."""
    async with await aio_pika.connect(servers.addresses.amqp) as connection:
        channel = await connection.channel()
        await channel.queue_delete(EVENTS_LOG)
        log = await channel.declare_queue(EVENTS_LOG, durable=True, arguments=EVENTS_LOG_ARGUMENTS)
        await log.bind(EVENTS_EXCHANGE, "#")


async def test_a_lost_log_is_made_again_and_who_knew_it_all_drops_it_all(
    worker: Running, client: Client, events: Subscriber, program: Program, servers: Instance, owner: asyncpg.Connection
) -> None:
    users = await _spend(client, events, users=6, uses=4)
    seen = {event["id"]: json.dumps(event) for event in events.events}
    await _lose_the_log(servers)

    dry = await program(republish.main, "--from", ALL, "--dry-run")
    assert (dry.status, dry.errors, dry.output.split()[:2]) == (0, "", ["Would", "send"])
    assert await _log(program, "first") == []
    before = len(events.events)
    sent = await program(republish.main, "--from", ALL)
    assert (sent.status, sent.errors) == (0, "")
    rows = await owner.fetch("SELECT low_threshold FROM credits.transactions")
    told = len(rows) + sum(row["low_threshold"] is not None for row in rows)
    assert sent.output.split()[:2] == ["Sent", str(told)], (
        "one for each transaction, another where it crossed a threshold"
    )

    rebuilt: Counter[str] = Counter()
    sequences: Counter[str] = Counter()
    for event in await _log(program, "first"):
        if event["type"] == "credits.low":
            continue
        transaction = event["data"]["transaction"]
        assert event["sequence"] == sequences[event["subject"]] + 1, "in order, without a gap"
        sequences[event["subject"]] += 1
        rebuilt[event["subject"]] += transaction["amount"]
        assert rebuilt[event["subject"]] == transaction["balanceAfter"]
    kept = await owner.fetch(
        "SELECT account_id::text, balance + free_credits_remaining AS sum FROM credits.balances"
        " WHERE account_id IN (SELECT account_id FROM credits.transactions)"
    )
    assert rebuilt == {row["account_id"]: row["sum"] for row in kept}
    assert rebuilt.keys() >= set(users)

    async with asyncio.timeout(10):
        while len(events.events) < before + told:
            await asyncio.sleep(0.02)
    again = [event for event in events.events[before:] if event["id"] in seen]
    assert {event["id"] for event in events.events[before:] if event["subject"] in users} <= seen.keys()
    assert [json.dumps(event) for event in again] == [seen[event["id"]] for event in again], "the same to the byte"


async def test_a_part_of_the_ledger(
    worker: Running, client: Client, events: Subscriber, program: Program, owner: asyncpg.Connection
) -> None:
    (user,) = await _spend(client, events, users=1, uses=2)
    await client.use(user)
    await events.has(user, 4)
    place = await owner.fetchrow(
        "SELECT partition, max(position) AS position, max(completed_at) AS at FROM credits.transactions"
        " WHERE account_id = $1::text::uuid GROUP BY partition",
        user,
    )
    assert place is not None
    head = f"{place['partition']}:{place['position']}"
    before = len(events.events)
    for words, number in (
        (("--from", head), 1),
        (("--from", head, "--to", f"{place['partition']}:{place['position'] - 1}"), 0),
        (("--from", ALL, "--user", user), 4),
        (("--from", place["at"].isoformat(), "--user", user.upper()), 1),
        (("--from", ALL, "--to", "1970-01-02T00:00:00Z"), 0),
    ):
        said = await program(republish.main, *words)
        assert said.output.split()[:2] == ["Sent", str(number)], (words, said)
    async with asyncio.timeout(10):
        while len(events.events) < before + 6:
            await asyncio.sleep(0.02)
    assert [event["sequence"] for event in events.events[before:]] == [4, 1, 2, 3, 4, 4]
    for words in (("--from", "yesterday"), (), ("--from", ALL, "--user", "x")):
        assert (await program(republish.main, *words)).status == 2
    nowhere = await program(republish.main, "--from", "999:1")
    assert (nowhere.status, nowhere.errors) == (1, "Not all events were sent: there is no partition 999.\n")


async def test_the_log_is_shown_and_followed(
    worker: Running, client: Client, events: Subscriber, program: Program, servers: Instance
) -> None:
    (user,) = await _spend(client, events, users=1, uses=2)
    shown = await program(tail.main, "--no-follow", "--from", "1h", "--user", user, "--type", "credits.used")
    lines = [text.split() for text in shown.output.splitlines()]
    assert [(words[2], words[3], words[4], words[5], words[6]) for words in lines] == [
        ("credits.used", user, "-1", "149", "chat"),
        ("credits.used", user, "-2", "147", "chat"),
    ]
    offset = int(lines[1][1])
    assert [event["sequence"] for event in await _log(program, str(offset), "--user", user)] == [3]
    assert await _log(program, "first", "--app", "nobody") == []
    await client.call("account.threshold", user, below=147, idempotencyKey="low")
    assert await _log(program, "next") == []

    following = await asyncio.create_subprocess_exec(
        *python("workers.event_log.tail"), "--from", str(offset), "--user", user, cwd=CHECKOUT,
        env=run_environment(_settings(servers)), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert following.stdout is not None
    async with asyncio.timeout(20):
        assert b"credits.used" in await following.stdout.readline()
        await client.use(user, 5)
        assert b" -5 " in await following.stdout.readline()
        low = (await following.stdout.readline()).split()
        assert low[2:] == [b"credits.low", user.encode(), b"142", b"chat", b"below", b"147"]
        os.kill(following.pid, signal.SIGINT)
        _, errors = await following.communicate()
    assert (following.returncode, errors) == (0, b"")
    of_app = await _log(program, str(offset), "--user", user, "--app", "chat")
    assert [event["type"] for event in of_app] == ["credits.used", "credits.used", "credits.low"]


async def test_the_starter_hands_over_what_each_program_needs(
    worker: Running, client: Client, events: Subscriber, servers: Instance
) -> None:
    (user,) = await _spend(client, events, users=1, uses=1)
    shown = await launch(servers, "events", "tail", "--from", "first", "--no-follow", "--user", user)
    assert (shown.status, shown.errors, len(shown.output.splitlines())) == (0, "", 2)
    sent = await launch(servers, "events", "republish", "--from", "1h", "--user", user)
    assert (sent.status, sent.errors, sent.output.split()[:2]) == (0, "", ["Sent", "2"])


@pytest.mark.parametrize("words", [("--from", "begin"), ("--colour",)])
async def test_what_tail_does_not_understand(program: Program, words: tuple[str, ...]) -> None:
    said = await program(tail.main, *words)
    assert (said.status, said.output) == (2, "")
    assert "Traceback" not in said.errors
