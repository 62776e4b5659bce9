"""Commands of one user leave the outbox in the order of their acts, whatever fails in between."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from uuid import UUID

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from api.broker.commands import NotAccepted, OutgoingCommand
from api.database import Database as Pool
from api.errors import Unavailable
from api.outbox.delivery import Delivery
from api.outbox.store import PAGE
from api.relay.forwarding import Forwarding, RelayMetrics
from contracts.replies import Balance, Done, encode_reply
from tests.integration.auth.rows import new_id
from tests.integration.ledger.server import Database

_ADD = (
    "INSERT INTO auth.outbox (id, user_id, command, body, created_at)"
    " VALUES (gen_random_uuid(), $1, $2, '{}', now() - interval '1 h' + $3 * interval '1 s')"
)
USER, SESSION = new_id(), new_id()
ACTS = ["account.freeze", "account.unfreeze"]


class ScriptedBroker:
    """Takes commands, but of one user none while ``refuses`` is above 0: each refusal counts it down."""

    def __init__(self) -> None:
        self.refuses, self.sent = 1, list[str]()
        self.is_away, self.tried = False, 0

    async def check(self) -> None:
        if self.is_away:
            raise NotAccepted("the broker cannot be reached")

    async def send(self, command: OutgoingCommand) -> None:
        self.tried += 1
        if command.user_id != str(USER):
            return
        if self.refuses > 0:
            self.refuses -= 1
            raise NotAccepted("the queue is full")
        self.sent.append(command.type)

    async def ask(self, command: OutgoingCommand, wait_seconds: float) -> bytes:
        assert wait_seconds > 0
        await self.send(command)
        return encode_reply(Done(None, Balance(0, 0, 0, 0)))


@pytest.fixture
def broker() -> ScriptedBroker:
    return ScriptedBroker()


@pytest.fixture
async def forwarding(database: Database, broker: ScriptedBroker) -> AsyncGenerator[Forwarding]:
    async with Pool.connected(database.url("mana_relay"), 2, "test") as pool:
        yield Forwarding(pool, broker, RelayMetrics(CollectorRegistry()))


@pytest.fixture
async def delivery(database: Database, broker: ScriptedBroker) -> AsyncGenerator[Delivery]:
    async with Pool.connected(database.url("mana_api"), 2, "test") as pool:
        yield Delivery(pool, broker)


async def _add_acts(owner: asyncpg.Connection, between: int = 0) -> None:
    await owner.execute(_ADD, USER, ACTS[0], 0)
    for number in range(between):
        await owner.execute(_ADD, UUID(int=number), "account.open", 1 + number)
    await owner.execute(_ADD, USER, ACTS[1], 1 + between)


async def test_a_broker_that_is_away_is_not_tried_for_everybody(
    owner: asyncpg.Connection, forwarding: Forwarding, broker: ScriptedBroker
) -> None:
    await _add_acts(owner, between=PAGE)
    broker.is_away, broker.refuses = True, 0
    with pytest.raises(Unavailable):
        await forwarding.forward_due()
    assert (broker.tried, await owner.fetchval("SELECT count(*) FROM auth.outbox")) == (0, PAGE + 2)
    broker.is_away = False
    await forwarding.forward_due()
    assert (broker.tried, await owner.fetchval("SELECT count(*) FROM auth.outbox")) == (PAGE + 2, 0)


async def test_the_relay_holds_what_stands_behind_a_failure_on_later_pages_too(
    owner: asyncpg.Connection, forwarding: Forwarding, broker: ScriptedBroker
) -> None:
    await _add_acts(owner, between=PAGE)
    await forwarding.forward_due()
    assert broker.sent == []
    assert await owner.fetchval("SELECT count(*) FROM auth.outbox") == 2, "nobody else is held up"
    await forwarding.forward_due()
    assert broker.sent == ACTS


async def test_an_act_is_sent_behind_those_before_it(
    owner: asyncpg.Connection, delivery: Delivery, broker: ScriptedBroker
) -> None:
    await _add_acts(owner)
    await delivery.deliver_in_order(USER)
    assert broker.sent == []
    await delivery.deliver_in_order(USER)
    assert broker.sent == ACTS
    assert await owner.fetch("SELECT 1 FROM auth.outbox") == []


async def test_each_session_looks_once(owner: asyncpg.Connection, delivery: Delivery, broker: ScriptedBroker) -> None:
    broker.refuses = 0
    await delivery.ensure_delivered(USER, SESSION)
    await _add_acts(owner)
    await delivery.ensure_delivered(USER, SESSION)
    assert broker.sent == []
    await delivery.ensure_delivered(USER, new_id())
    assert broker.sent == ACTS
