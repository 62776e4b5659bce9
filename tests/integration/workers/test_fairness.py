"""Goal: what an app sends beyond its limits is refused, told and counted; what others send is not."""

from __future__ import annotations

import asyncio
import json
import uuid

import asyncpg
import pytest

from contracts.apps import Permission
from ops.instance import Instance
from tests.e2e.client import Client
from tests.integration.workers.apps import registered
from tests.integration.workers.events import Subscriber
from tests.integration.workers.running import Running, until

_REFUSED = "mana_app_commands_refused_total"


async def test_beyond_its_rate_an_app_is_refused(
    client: Client, servers: Instance, owner: asyncpg.Connection, events: Subscriber, worker: Running
) -> None:
    user = await client.open_user()
    async with registered(servers, owner, commands_per_second=1) as app, Client.connected(app.url) as as_app:

        async def known() -> bool:
            """Once the worker knows the app, it refuses the second of two at once."""
            replies = await asyncio.gather(*(as_app.call("credits.balance", user) for _ in range(2)))
            return not all(reply["ok"] for reply in replies)

        await until(known, "the worker knows the app's limit")
        before = await worker.meter(_REFUSED)
        replies = await asyncio.gather(*(as_app.use(user, appId=app.id) for _ in range(10)))
        refusals = [reply["error"] for reply in replies if not reply["ok"]]
        assert len(refusals) >= 8
        assert {error["code"] for error in refusals} == {"overloaded"}
        assert {error["details"]["retryAfterSeconds"] for error in refusals} == {1}
        assert await worker.meter(_REFUSED) == before + len(refusals)
        assert all(reply["ok"] for reply in await asyncio.gather(*(client.use(user) for _ in range(10))))
        charged = 10 + len(replies) - len(refusals)
        assert (await client.call("credits.balance", user))["balance"]["totalSpent"] == charged
        before = await worker.meter(_REFUSED)
        for key in ("silent", "and silent again"):
            await as_app.publish(_silent(user, app.id, key), user, type="credits.use")
            await as_app.publish(_silent(user, "chat", f"{key}, under another's id"), user, type="credits.use")
        await client.publish(_silent(user, "chat", "behind them", amount=10**6), user, type="credits.use")
        codes = await _refused(events, user, "chat", "insufficient_credits")
        assert codes.count("insufficient_credits") == 1
        assert {*codes} <= {"insufficient_credits", "app_mismatch"}, "what is beyond the rate is told to nobody"
        assert await worker.meter(_REFUSED) > before


def _silent(user: str, app_id: str, key: str, amount: int = 1) -> bytes:
    """A usage that asks for no reply, when its message names no queue."""
    fields = {"userId": user, "amount": amount, "appId": app_id, "description": "d", "idempotencyKey": key}
    return json.dumps(fields).encode()


@pytest.mark.usefixtures("worker")
async def test_what_is_answered_makes_room_for_more(
    client: Client, servers: Instance, owner: asyncpg.Connection
) -> None:
    """Four times as many as may be unanswered, one after the other: also after refusals and answers of all kinds."""
    user = await client.open_user()
    rights: list[Permission] = ["credits:use", "credits:grant"]
    async with registered(servers, owner, rights, unanswered_max=4) as app, Client.connected(app.url) as as_app:

        async def known() -> bool:
            fields = {"amount": 1, "description": "d", "source": "bonus", "idempotencyKey": "g"}
            return (await as_app.call("credits.grant", user, **fields))["ok"]

        await until(known, "the worker knows the app")
        for _ in range(16):
            assert (await as_app.use(user, appId=app.id))["ok"]
            assert (await as_app.use(user, 10**6, appId=app.id))["error"]["code"] == "insufficient_credits"


async def _refused(events: Subscriber, user: str, app_id: str, last: str) -> list[str]:
    """The codes of all refusals that an app is told of, once that one has come; they come in the order of their
    commands."""

    def codes() -> list[str]:
        refusals = [event["data"] for event in events.of(user) if event["type"] == "credits.refused"]
        return [refusal["error"]["code"] for refusal in refusals if refusal["appId"] == app_id]

    async def look() -> bool:
        return last in codes()

    await until(look, f"an event credits.refused: {last}")
    return codes()


@pytest.mark.slow
@pytest.mark.usefixtures("worker")
async def test_beside_a_flood_all_that_another_app_sends_is_carried_out(
    client: Client, servers: Instance, owner: asyncpg.Connection
) -> None:
    """Both ask about the same user, so they share a partition."""
    uses = 200
    async with (
        registered(servers, owner, commands_per_second=50) as flooding,
        registered(servers, owner) as steady,
        Client.connected(flooding.url) as flood,
        Client.connected(steady.url) as as_steady,
    ):
        user = await client.open_user()
        await client.call("credits.grant", user, amount=10**6, description="d", source="bonus", idempotencyKey="g")
        stopping = asyncio.Event()

        async def one_after_the_other() -> list[str]:
            codes: list[str] = []
            while not stopping.is_set():
                reply = await flood.use(user, appId=flooding.id)
                codes.append("ok" if reply["ok"] else reply["error"]["code"])
            return codes

        floods = [asyncio.create_task(one_after_the_other()) for _ in range(64)]
        answers = [await as_steady.use(user, appId=steady.id, idempotencyKey=str(uuid.uuid4())) for _ in range(uses)]
        stopping.set()
        codes = [code for task in floods for code in await task]
    assert all(answer["ok"] for answer in answers)
    assert set(codes) == {"ok", "overloaded"}
    assert codes.count("overloaded") > codes.count("ok")
    spent = "SELECT count(*) FROM credits.transactions WHERE account_id = $1 AND type = 'usage' AND app_id = $2"
    assert await owner.fetchval(spent, uuid.UUID(user), steady.id) == uses
    assert await owner.fetchval(spent, uuid.UUID(user), flooding.id) == codes.count("ok")
