"""Goal: an app's login may do at the broker what it needs for itself, and nothing that could harm another or us.

Method: a real client with a login that the keeper made tries each act, and what RabbitMQ says is compared word by word.
Afterwards everything is there as it was.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import aio_pika
import aiormq
import httpx
import pytest
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError
from aiormq.abc import AbstractChannel

from contracts.topology import CONNECTIONS_MAX
from tests.e2e.client import Client
from tests.integration.apps.acts import (
    CHANNELS,
    CONNECTIONS,
    ENDED,
    ENTRIES,
    FORBIDDEN,
    LOGIN,
    MANAGEMENT,
    ORDERS,
    REVOKED,
    Act,
    Entry,
    Order,
)
from tests.integration.apps.broker import Broker, Given, connected
from tests.integration.apps.entering import enter
from tests.integration.workers.running import Running

ACTS = [act for acts in FORBIDDEN.values() for act in acts]
_WORDS = re.compile(r"[A-Z_]{6,} - [^\"]*")


@dataclass(frozen=True)
class Attacker:
    """The app ``chat`` with a connection of its own."""

    given: Given
    connection: AbstractConnection

    async def channel(self) -> AbstractChannel:
        """A channel without anything of aio-pika's own."""
        return await (await self.connection.channel()).get_underlay_channel()


@pytest.fixture(scope="module")
async def chat(broker: Broker, keeper: Running) -> AsyncGenerator[Attacker]:
    """An app with a queue and an exchange, beside another one with the same."""
    assert keeper.child.returncode is None
    givens = [await broker.create(app) for app in ("mail", "chat")]
    for given in givens:
        connection = await aio_pika.connect(given.url)
        channel = await (await connection.channel()).get_underlay_channel()
        own = "events" if given.app == "mail" else "own"
        await channel.queue_declare(f"{given.app}.{own}", durable=True)
        await channel.exchange_declare(f"{given.app}.fanout", exchange_type="fanout", durable=True)
        if given.app == "chat":
            async with connection:
                yield Attacker(given, connection)
        else:
            await connection.close()


@pytest.fixture(scope="module", autouse=True)
async def nothing_changes(broker: Broker, chat: Attacker) -> AsyncGenerator[None]:
    """Queues, exchanges and bindings are afterwards what they were before."""
    before = await _everything(broker)
    yield
    assert await _everything(broker) == before
    assert chat.given.app == "chat"


async def _everything(broker: Broker) -> dict[str, Any]:
    queues = await broker.ask("GET", "queues/%2F")
    return {
        "queues": sorted((queue["name"], queue["arguments"]) for queue in queues),
        "exchanges": sorted(exchange["name"] for exchange in await broker.ask("GET", "exchanges/%2F")),
        "bindings": sorted(
            (one["source"], one["destination"], one["routing_key"]) for one in await broker.ask("GET", "bindings/%2F")
        ),
    }


@pytest.mark.checklist(64)
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.what)
async def test_what_an_app_may_not_do(chat: Attacker, act: Act) -> None:
    with pytest.raises(AMQPError) as refused:
        await act.do(await chat.channel())
    assert _said(refused.value, chat.given) == act.said


def _said(error: BaseException, given: Given) -> str:
    """RabbitMQ's own words, with the page's login in place of this run's."""
    found = _WORDS.search(str(error))
    assert found is not None, repr(error)
    return found[0].replace(given.login, LOGIN)


@pytest.mark.checklist(64)
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.what)
async def test_where_an_app_does_not_get_in(broker: Broker, chat: Attacker, entry: Entry) -> None:
    if entry.vhost:
        await broker.ask("PUT", f"vhosts/{entry.vhost}")
    address = chat.given.url.replace(chat.given.text, entry.password or chat.given.text)
    assert await _entering(address.rpartition("/")[0] + f"/{entry.vhost or '%2F'}", chat.given) == entry.said
    if entry.vhost:
        await broker.ask("DELETE", f"vhosts/{entry.vhost}")


@pytest.mark.checklist(64)
async def test_a_revoked_secret_opens_nothing_and_what_it_opened_ends(broker: Broker, chat: Attacker) -> None:
    other = await broker.add_secret("chat")
    async with connected(other) as (_, ended):
        await broker.revoke_secret(other)
        reason = await asyncio.wait_for(ended, 5)
        assert reason is not None
        assert _said(reason, other) == ENDED[1]
    assert await _entering(other.url, other) == REVOKED[1]
    assert await _entering(chat.given.url, chat.given) == "", "the other secret is still good"


@pytest.mark.checklist(64)
async def test_more_connections_than_an_app_may_have(broker: Broker, chat: Attacker) -> None:
    async with AsyncExitStack() as opened:
        while len(await broker.connections(chat.given.login)) < CONNECTIONS_MAX:
            opened.push_async_callback((await aiormq.connect(chat.given.url)).close)
        assert await _entering(chat.given.url, chat.given) == CONNECTIONS[1]


@pytest.mark.checklist(64)
async def test_more_channels_than_an_app_may_have(chat: Attacker) -> None:
    said = await enter(chat.given.url, channels=CONNECTIONS_MAX + 1)
    assert said is not None
    assert said.replace(chat.given.login, LOGIN) == CHANNELS[1]


@pytest.mark.checklist(64)
async def test_the_management_api_is_not_for_apps(broker: Broker, chat: Attacker) -> None:
    async with httpx.AsyncClient(auth=(chat.given.login, chat.given.text), trust_env=False) as client:
        url = broker.instance.env["MANA_RABBITMQ_MANAGEMENT_URL"]
        for path in ("whoami", "queues", "users", "definitions"):
            answer = await client.get(f"{url}/api/{path}")
            told = answer.json()
            assert f"{answer.status_code} {told['error']}: {told['reason']}" == MANAGEMENT[1]


@pytest.mark.checklist(64)
@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.what)
async def test_what_the_ledger_refuses_an_app(chat: Attacker, worker: Running, order: Order) -> None:
    assert worker.child.returncode is None
    async with Client.connected(chat.given.url) as client:
        reply = await client.call(order.type, str(uuid.uuid4()), **order.fields)
    assert reply["error"]["code"] == order.code


async def test_without_the_permission_no_events_are_heard_not_even_ones_own(broker: Broker, chat: Attacker) -> None:
    deaf = await broker.new_app("credits:use")
    async with await aio_pika.connect(deaf.url) as connection:
        channel = await (await connection.channel()).get_underlay_channel()
        await channel.queue_declare(f"{deaf.app}.q", exclusive=True)
        with pytest.raises(AMQPError, match=r"access to exchange 'credits\.events'"):
            await channel.queue_bind(f"{deaf.app}.q", "credits.events", f"credits.*.{deaf.app}")
    assert chat.given.app != deaf.app


async def _entering(url: str, given: Given) -> str:
    """What RabbitMQ says to who enters; nothing where it lets them in."""
    said = await enter(url)
    return "" if said is None else said.replace(given.login, LOGIN)
