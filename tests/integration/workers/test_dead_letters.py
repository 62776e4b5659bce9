"""Dead letters by an operator's hand, at a real broker: looked at and put back, sent again, charged once, given up.

And what clients send wrongly harms nobody else, also when there is no room left to keep it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from api.broker.dead import DeadQueue
from api.broker.walk import WINDOW
from contracts import dead_letters
from contracts.topology import DEAD_QUEUE, REDRIVE_LOGIN, RELAY_LOGIN, WORKER_LOGIN, broker_topology
from ops import urls
from ops.instance import Instance
from ops.management import Management
from ops.programs import run_environment
from tests.e2e.client import Client
from tests.integration.workers.apps import registered, revoke
from tests.integration.workers.dead import Mana, ids, keep, number_of_letters, settings_of, there_are, use
from tests.integration.workers.flood import keys_in_order
from tests.integration.workers.running import PARTITIONS, Running, until

pytestmark = pytest.mark.usefixtures("worker", "emptied")

_MISTAKES = 40
"""Enough for every partition to get some."""
_NOT_YET = "ALTER TABLE credits.transactions ADD CONSTRAINT not_yet CHECK (description <> 'not yet') NOT VALID"
_NOW = "ALTER TABLE credits.transactions DROP CONSTRAINT IF EXISTS not_yet"
_DIES_BEFORE_REMOVING = """
import os, sys
from api.broker.dead import DeadQueue
DeadQueue.remove = lambda *_: os._exit(9)
from api.operators.dead.__main__ import main
main(sys.argv[1:])
"""


@pytest.fixture
async def not_yet(owner: asyncpg.Connection) -> AsyncGenerator[None]:
    """A fault of ours: the database refuses what the program would write, until a test mends it."""
    await owner.execute(_NOT_YET)
    yield
    await owner.execute(_NOW)


async def _acts(owner: asyncpg.Connection, letter: str) -> list[dict[str, Any]]:
    rows = await owner.fetch(
        "SELECT type, details FROM auth.security_events WHERE details ->> 'letter' = $1 ORDER BY id", letter
    )
    return [{"type": row["type"], **json.loads(row["details"])} for row in rows]


@pytest.mark.usefixtures("not_yet")
async def test_a_command_is_charged_once_when_its_cause_is_mended(
    mana: Mana, client: Client, servers: Instance, owner: asyncpg.Connection
) -> None:
    user = await client.open_user()
    async with registered(servers, owner, ["credits:use"]) as app, Client.connected(app.url) as as_app:
        asked = {"appId": app.id, "description": "not yet", "idempotencyKey": "k"}
        assert (await as_app.use(user, 3, **asked))["error"]["code"] == "internal"
        (letter,) = ids(await mana("list", "--user", user, "--app", app.id, "--reason", "NOT_YET"))
        shown = (await mana("show", letter)).output
        for words in (app.login, "credits.use", user, '"idempotencyKey": "k"', "internal", "possible"):
            assert words in shown

        again = await mana("redrive", letter)
        assert again.status == 0
        assert again.output.startswith(f"{letter}: credits.use was refused: internal: ")
        assert again.output.endswith(": it is kept again.\n")
        await there_are(client, 1)
        assert ids(await mana("list")) == [letter], "a copy of the same message"
        kept = await (await client.dead()).get(no_ack=False)
        first, last = (str(kept.headers[name]) for name in (dead_letters.KEPT_SINCE, dead_letters.KEPT_AT))
        assert first < last, "the first time stays that of the first copy"
        await kept.nack()

        await owner.execute(_NOW)
        done = await mana("redrive", letter)
        assert (done.status, done.output) == (0, f"{letter}: credits.use is done.\n")
        assert (await as_app.use(user, 3, **asked))["replayed"] is True
    assert await keys_in_order(owner, user) == ["k"]
    row = await owner.fetchrow(
        "SELECT app_id, origin FROM credits.transactions WHERE type = 'usage' AND account_id = $1", uuid.UUID(user)
    )
    assert row is not None
    assert (row["app_id"], row["origin"]) == (app.id, "app")
    assert await number_of_letters(client) == 0
    acts = await _acts(owner, letter)
    assert [act["type"] for act in acts] == ["dead_letter.redriven"] * 2
    assert {(act["by"], act["user"], act["login"], act["key"]) for act in acts} == {("operator", user, app.login, "k")}


async def test_what_was_in_fact_done_answers_as_a_replay(
    mana: Mana, client: Client, servers: Instance, owner: asyncpg.Connection
) -> None:
    user = await client.open_user()
    body = use(user)
    assert (await client.call("credits.use", user, **{name: body[name] for name in body if name != "userId"}))["ok"]
    await keep(servers.addresses.amqp_as(WORKER_LOGIN), body, login="chat")
    said = await mana("redrive", "--all", "--user", user)
    assert said.output.endswith("credits.use had been done before: nothing was done now.\n")
    assert await keys_in_order(owner, user) == ["k"]
    assert await number_of_letters(client) == 0


async def test_killed_between_confirm_and_removal_it_charges_once(
    mana: Mana, client: Client, servers: Instance, owner: asyncpg.Connection
) -> None:
    user = await client.open_user()
    await keep(servers.addresses.amqp_as(WORKER_LOGIN), use(user), login="chat")
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", _DIES_BEFORE_REMOVING, "redrive", "--all"),
        env={**run_environment({}), **settings_of(servers)},
    )
    assert await child.wait() == 9

    async def charged() -> bool:
        return await keys_in_order(owner, user) == ["k"]

    await until(charged, "the command was sent before the kill")
    await there_are(client, 1)
    assert "had been done before" in (await mana("redrive", "--all")).output
    assert await keys_in_order(owner, user) == ["k"]
    assert await number_of_letters(client) == 0


async def test_a_letter_gives_nobody_rights(
    mana: Mana, client: Client, servers: Instance, owner: asyncpg.Connection
) -> None:
    """Neither one that no worker wrote, nor one whose sender has lost his."""
    user = await client.open_user()
    await keep(servers.addresses.amqp, use(user, "forged"), login=WORKER_LOGIN)
    async with registered(servers, owner, ["credits:use"]) as app, Client.connected(app.url) as as_app:

        async def shut_out() -> bool:
            return (await as_app.call("credits.balance", user))["ok"] is False

        own = use(user, "late", appId=app.id)
        await keep(servers.addresses.amqp_as(WORKER_LOGIN), own, login=app.login)
        await keep(servers.addresses.amqp_as(WORKER_LOGIN), use(user, "another's"), login=app.login)
        await revoke(owner, app)
        await until(shut_out, "the worker knows that the app is revoked")
        said = await mana("redrive", "--all")
    assert said.status == 1
    lines = said.output.splitlines()
    assert ["not proven" in line for line in lines] == [True, False, False]
    assert ["revoked" in line for line in lines] == [False, True, True]
    assert await keys_in_order(owner, user) == []
    await there_are(client, 3)


async def test_only_the_redriving_login_is_believed_who_sent_a_command(
    client: Client, servers: Instance, owner: asyncpg.Connection
) -> None:
    user = await client.open_user()
    headers = {dead_letters.SENDER_HEADER: WORKER_LOGIN}
    body = {"userId": user, "amount": 5, "description": "d", "reason": "r", "idempotencyKey": "k"}
    async with registered(servers, owner) as app, Client.connected(app.url) as as_app:
        told = await as_app.send(json.dumps(body).encode(), user, type="credits.adjust", headers=headers)
    assert told["error"]["code"] == "forbidden"
    async with Client.connected(servers.addresses.amqp_as("mana-redrive")) as nobody:
        unbelieved = ("mana-redrive", WORKER_LOGIN, "mana-admin", 5)
        for unsaid in (None, *({dead_letters.SENDER_HEADER: one} for one in unbelieved)):
            told = await nobody.send(json.dumps(use(user)).encode(), user, type="credits.use", headers=unsaid)
            assert told["error"]["code"] == "forbidden"


async def test_looking_puts_all_back_in_its_order(mana: Mana, client: Client, servers: Instance) -> None:
    user = await client.open_user()
    number = 70
    bodies = [use(user, f"k{key}") for key in range(number)]
    await keep(servers.addresses.amqp_as(WORKER_LOGIN), *bodies, login="chat")
    first = ids(await mana("list"))
    assert len(first) == number
    await there_are(client, number)
    assert (await mana("show", first[40])).status == 0
    await there_are(client, number)
    assert ids(await mana("list")) == first
    short = (await mana("list", "--limit", "3")).output
    assert short.endswith(f"and {number - 3} more messages: --limit shows more of them.\n")
    assert (await mana("drop", first[20], "--because", "it is in the midst")).status == 0
    await there_are(client, number - 1)
    assert ids(await mana("list")) == [*first[:20], *first[21:]]


async def test_what_its_senders_expiration_ended_is_only_redriven_by_name(
    mana: Mana, client: Client, servers: Instance, owner: asyncpg.Connection
) -> None:
    user = await client.open_user()
    deaths = [{"reason": "expired", "queue": "credits.commands.0", "routing-keys": [user]}]
    await keep(servers.addresses.amqp_as(RELAY_LOGIN), use(user), **{"x-death": deaths})
    said = await mana("redrive", "--all")
    (letter,) = ids(await mana("list", "--reason", "expired"))
    assert (said.status, "it expired, as its sender wanted" in said.output) == (1, True)
    assert await keys_in_order(owner, user) == []
    assert (await mana("redrive", letter)).output.endswith("credits.use is done.\n")


async def test_what_cannot_be_read_is_dropped_with_a_reason(
    mana: Mana, client: Client, owner: asyncpg.Connection
) -> None:
    user = await client.open_user()
    await client.send(b"[1]", user, type="credits.use")
    (letter,) = ids(await mana("list"))
    said = await mana("redrive", letter)
    assert (said.status, said.output) == (
        1,
        f"{letter}: left where it is: it would be refused: body is not an object.\n",
    )
    await there_are(client, 1)
    assert (await mana("drop", letter[:8], "--because", "a client's mistake")).status == 0
    assert await number_of_letters(client) == 0
    (act,) = await _acts(owner, letter)
    assert (act["type"], act["because"], act["login"]) == ("dead_letter.dropped", "a client's mistake", client.login)
    gone = await mana("redrive", letter)
    assert (gone.status, gone.output) == (1, f"{letter}: there is no such letter.\n")


async def test_without_the_database_nothing_is_done(
    mana: Mana, client: Client, servers: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No act goes without its entry."""
    user = await client.open_user()
    await keep(servers.addresses.amqp_as(WORKER_LOGIN), use(user), login="chat")
    port = os.environ["DATABASE_URL"].rpartition(":")[2].partition("/")[0]
    monkeypatch.setenv("DATABASE_URL", os.environ["DATABASE_URL"].replace(f":{port}/", ":9/"))
    said = await mana("redrive", "--all")
    assert (said.status, "left where it was" in said.errors) == (1, True)
    await there_are(client, 1)


@asynccontextmanager
async def full(servers: Instance, client: Client) -> AsyncGenerator[None]:
    """The queue of dead copies takes no more."""
    (usual,) = (policy for policy in broker_topology(PARTITIONS).policies if policy.pattern == r"^credits\.dead$")
    login, password = urls.login_of(servers.addresses.amqp)
    async with Management(servers.addresses.management, login, password) as broker:

        async def bound(length: int) -> None:
            body = {"pattern": usual.pattern, "definition": {**usual.definition, "max-length": length}}
            await broker.put("policies", urls.vhost_of(servers.addresses.amqp), usual.name, body=body)

        await bound(1)
        try:
            yield
        finally:
            await bound(usual.definition["max-length"])
            await (await client.dead()).purge()


async def test_a_full_queue_of_dead_copies_stops_no_partition(
    servers: Instance, worker: Running, client: Client
) -> None:
    users = [await client.open_user() for _ in range(8)]
    async with full(servers, client):

        async def lost() -> bool:
            told = [client.send(b"[]", str(uuid.uuid4()), type="credits.balance") for _ in range(_MISTAKES)]
            assert {answer["error"]["code"] for answer in await asyncio.gather(*told)} == {"invalid_request"}
            return await worker.meter("mana_unreadable_lost_total") >= _MISTAKES

        await until(lost, f"{DEAD_QUEUE} is full, and that is counted", worker.log)
        async with asyncio.timeout(20):
            answers = await asyncio.gather(*map(client.use, users))
        assert [answer["ok"] for answer in answers] == [True] * len(users)
        assert await worker.meter("mana_kept_refused") == 0


async def test_no_more_is_on_its_way_than_a_window_however_many_lie_there(client: Client, servers: Instance) -> None:
    number = 3 * WINDOW
    await keep(servers.addresses.amqp_as(WORKER_LOGIN), *(use(str(uuid.uuid4())) for _ in range(number)), login="chat")
    url = servers.addresses.amqp_as(REDRIVE_LOGIN)
    seen = list[bytes]()
    async with DeadQueue.opened(url) as queue:
        async for kept in queue.each():
            seen.append(kept.body)
            windows = -(-len(seen) // WINDOW)
            await there_are(client, number - windows * WINDOW)
    await there_are(client, number)
    async with DeadQueue.opened(url) as queue:
        assert [kept.body async for kept in queue.each()] == seen
    assert len(seen) == number


async def test_one_looks_at_a_time(mana: Mana, client: Client, servers: Instance) -> None:
    user = await client.open_user()
    await keep(servers.addresses.amqp_as(WORKER_LOGIN), use(user), login="chat")
    async with DeadQueue.opened(servers.addresses.amqp_as(REDRIVE_LOGIN)):
        said = await mana("redrive", "--all")
        assert (said.status, said.output) == (1, "")
        assert "Somebody else looks" in said.errors
    assert (await mana("redrive", "--all")).output.endswith("credits.use is done.\n")


@pytest.mark.slow
async def test_thousands_go_back_in_their_order(mana: Mana, client: Client, servers: Instance) -> None:
    number = 80 * WINDOW
    users = [str(uuid.uuid4()) for _ in range(number)]
    await keep(servers.addresses.amqp_as(WORKER_LOGIN), *map(use, users), login="chat")
    for limit in (number, number // 2, number):
        listed = (await mana("list", "--limit", str(limit))).output.splitlines()[1 : limit + 1]
        assert [user for line in listed if (user := line.split()[6])] == users[:limit]
        await there_are(client, number)
