"""A key that is tried again: the old refusal is not the new try's, whichever front is asked and whatever is away."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import aio_pika
import httpx
import msgspec
import pytest
from redis.asyncio import Redis

from api.credits.tries import Noted, Tries
from api.errors import Unavailable
from api.redis_line import WAIT_MS
from contracts.topology import COMMANDS_EXCHANGE
from ops import ports
from ops.instance import Instance
from ops.urls import with_database
from tests.faults.tools.proxy import Proxy
from tests.integration.api.process import Process, front, until_ready
from tests.integration.api.users import BASE, SignedIn, assert_problem, sign_up
from tests.integration.paused import paused

USE = f"{BASE}/credits/use"
BODY: dict[str, Any] = {"amount": 151, "appId": "chat", "description": "d", "idempotencyKey": "K"}
OPERATION = f"{BASE}/credits/operations/K"
_PATIENCE = WAIT_MS / 1_000


@pytest.fixture
async def refused(http: httpx.AsyncClient, running_worker: Process) -> SignedIn:
    """A user whose key K was refused once."""
    assert running_worker.child.returncode is None
    user = await sign_up(http)
    assert_problem(await http.post(USE, json=BODY, headers=user.headers), 402, "insufficient_credits")
    return user


async def _grant(servers: Instance, user: SignedIn) -> None:
    address = urlsplit(servers.env["MANA_AMQP_URL"])
    body = {
        "userId": user.id,
        "amount": 100,
        "source": "bonus",
        "description": "d",
        "expiresAt": None,
        "idempotencyKey": "top-up",
    }
    async with await aio_pika.connect(servers.env["MANA_AMQP_URL"]) as connection:
        channel = await connection.channel()
        message = aio_pika.Message(
            msgspec.json.encode(body),
            content_type="application/json",
            type="credits.grant",
            user_id=address.username,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        exchange = await channel.get_exchange(COMMANDS_EXCHANGE, ensure=False)
        await exchange.publish(message, routing_key=user.id)


async def _until_granted(http: httpx.AsyncClient, user: SignedIn) -> None:
    async with asyncio.timeout(20):
        while (await _get(http, user, f"{BASE}/credits/balance")).json()["freeCreditsRemaining"] != 250:
            await asyncio.sleep(0.05)


async def _get(http: httpx.AsyncClient, user: SignedIn, path: str) -> httpx.Response:
    return await http.get(path, headers=user.headers)


async def test_an_old_refusal_is_not_the_new_trys(
    http: httpx.AsyncClient, refused: SignedIn, running_worker: Process, servers: Instance, logs: Path
) -> None:
    """Refused, topped up, tried again: unknown until the ledger has decided, at every front, and then charged."""
    assert (await _get(http, refused, OPERATION)).json()["status"] == "refused"
    await _grant(servers, refused)
    await _until_granted(http, refused)
    async with front(servers, logs) as other, httpx.AsyncClient(base_url=other.url, timeout=40) as elsewhere:
        with paused(running_worker.child):
            again = await http.post(USE, json=BODY, headers={**refused.headers, "prefer": "wait=1"})
            assert again.status_code == 202
            for client in (http, elsewhere):
                assert_problem(await _get(client, refused, again.headers["location"]), 404, "not_found")
        async with asyncio.timeout(20):
            while (answer := await _get(elsewhere, refused, again.headers["location"])).status_code == 404:
                await asyncio.sleep(0.05)
    assert answer.json()["status"] == "completed"
    assert answer.json()["transaction"]["amount"] == -151


async def test_a_new_refusal_takes_the_old_ones_place(
    http: httpx.AsyncClient, refused: SignedIn, running_worker: Process
) -> None:
    with paused(running_worker.child):
        body = {**BODY, "amount": 152}
        again = await http.post(USE, json=body, headers={**refused.headers, "prefer": "wait=0"})
        assert again.status_code == 202
        assert_problem(await _get(http, refused, OPERATION), 404, "not_found")
    async with asyncio.timeout(20):
        while (answer := await _get(http, refused, OPERATION)).status_code == 404:
            await asyncio.sleep(0.05)
    assert answer.json()["error"]["details"]["required"] == 152


async def test_a_try_that_was_not_accepted_hides_nothing(
    refused: SignedIn, servers: Instance, logs: Path, http: httpx.AsyncClient
) -> None:
    nowhere = f"amqp://mana-front:x@127.0.0.1:{ports.choose(None, ())}/"
    async with (
        front(servers, logs, AMQP_URL=nowhere) as cut_off,
        httpx.AsyncClient(base_url=cut_off.url, timeout=40) as client,
    ):
        assert_problem(await client.post(USE, json=BODY, headers=refused.headers), 503, "overloaded")
    assert (await _get(http, refused, OPERATION)).json()["status"] == "refused"


async def test_a_try_that_is_taken_back_gives_way_to_the_one_before_it(servers: Instance) -> None:
    """As after a full queue; but a try that was sent meanwhile stays the newest."""
    user = uuid4()
    async with Tries.connected(servers.addresses.redis, 5.0) as tries:
        assert await tries.note(user, "k", "first") == Noted("")
        assert await tries.note(user, "k", "second") == Noted("first")
        await tries.take_back(user, "k", "second", Noted("first"))
        assert await tries.newest(user, "k") == "first"
        await tries.note(user, "k", "third")
        await tries.take_back(user, "k", "first", Noted(""))
        assert await tries.newest(user, "k") == "third"
        await tries.take_back(user, "k", "third", Noted(""))
        assert await tries.newest(user, "k") is None


async def test_connecting_may_take_longer_than_a_note_waits(servers: Instance) -> None:
    """As by TLS on a busy machine: notes go without a connection until it is there, and it comes."""
    own = with_database(servers.addresses.redis, "9")
    user = uuid4()
    async with (
        Redis.from_url(servers.addresses.redis, decode_responses=True) as redis,
        Proxy.before(own) as proxy,
        Tries.connected(proxy.url(own), _PATIENCE) as tries,
    ):
        proxy.delay(2 * _PATIENCE, direction="down")
        assert await tries.note(user, "k", "early") is None
        async with asyncio.timeout(20):
            while ("9", "ping") not in {(client["db"], client["cmd"]) for client in await redis.client_list()}:
                await asyncio.sleep(0.02)
        proxy.delay(0.0)
        async with asyncio.timeout(20):
            while await tries.note(user, "k", "first") is None:
                await asyncio.sleep(0.02)
            while (newest := await _newest(tries, user)) is None:
                await asyncio.sleep(0.02)
    assert newest == "first"


async def _newest(tries: Tries, user: UUID) -> str | None:
    """``None`` also where Redis was late."""
    try:
        return await tries.newest(user, "k")
    except Unavailable:
        return None


async def _assert_lives_without_redis(client: httpx.AsyncClient, user: SignedIn) -> None:
    """Credits are used, what was done is told; only a refusal, which might be an old one, is not."""
    used = await client.post(USE, json={**BODY, "amount": 1, "idempotencyKey": "done"}, headers=user.headers)
    assert used.status_code == 200, used.text
    done = await _get(client, user, f"{BASE}/credits/operations/done")
    assert done.json()["status"] == "completed"
    untold = await _get(client, user, OPERATION)
    assert_problem(untold, 503, "overloaded")
    assert int(untold.headers["retry-after"]) >= 1
    assert_problem(await _get(client, user, f"{BASE}/credits/operations/never"), 404, "not_found")


async def test_while_redis_is_away(refused: SignedIn, servers: Instance, logs: Path) -> None:
    nowhere = f"redis://127.0.0.1:{ports.choose(None, ())}/0"
    async with front(servers, logs, REDIS_URL=nowhere) as process:
        await until_ready(process)
        async with httpx.AsyncClient(base_url=process.url, timeout=40) as client:
            await _assert_lives_without_redis(client, refused)


async def test_while_redis_is_silent(refused: SignedIn, servers: Instance, logs: Path) -> None:
    address = servers.addresses.redis
    async with Proxy.before(address) as proxy, front(servers, logs, REDIS_URL=proxy.url(address)) as process:
        await until_ready(process)
        async with httpx.AsyncClient(base_url=process.url, timeout=40) as client:
            await _is_refused(client, refused)
            proxy.freeze()
            await _assert_lives_without_redis(client, refused)
            proxy.thaw()
            await _is_refused(client, refused)


async def _is_refused(client: httpx.AsyncClient, user: SignedIn) -> None:
    """As soon as Redis answers within the front's patience, which a busy machine takes some tries for."""
    async with asyncio.timeout(20):
        while (answer := await _get(client, user, OPERATION)).status_code == 503:
            await asyncio.sleep(0.1)
    assert answer.json()["status"] == "refused"
