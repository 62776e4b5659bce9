"""One command of many that the database does not take: it alone is kept and answered with ``internal``."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from tests.e2e.client import Client
from tests.integration.workers.flood import keys_in_order
from tests.integration.workers.running import Running, until


@pytest.mark.usefixtures("rule")
async def test_the_culprit_stands_alone_in_the_end(client: Client, worker: Running, owner: asyncpg.Connection) -> None:
    user = await client.open_user()
    bodies = [
        {"amount": 1, "appId": "chat", "description": "poison" if key == 40 else "use", "idempotencyKey": str(key)}
        for key in range(60)
    ]
    replies = await asyncio.gather(*(client.call("credits.use", user, **body) for body in bodies))
    assert [reply["ok"] for reply in replies] == [key != 40 for key in range(60)]
    assert replies[40]["error"]["code"] == "internal"
    assert await keys_in_order(owner, user) == [str(key) for key in range(60) if key != 40]
    dead = await client.dead()
    copy = await dead.get(no_ack=True)
    assert b'"poison"' in copy.body
    assert str(copy.headers["reason"]).startswith("internal: ")
    assert (await worker.health())["status"] == "ready"


@pytest.mark.usefixtures("rule")
async def test_what_is_not_the_commands_fault_is_tried_again_whole(client: Client, worker: Running) -> None:
    user = await client.open_user()
    before = await worker.meter("mana_commands_poisoned_total")
    assert (await client.use(user, description="again"))["ok"] is True
    assert await worker.meter("mana_batch_retries_total") >= 2
    assert await worker.meter("mana_commands_poisoned_total") == before


async def test_a_broken_schema_ends_consuming(client: Client, worker: Running, owner: asyncpg.Connection) -> None:
    """The last test of this module: the worker does not consume again before somebody starts it anew."""
    user = await client.open_user()
    await owner.execute("ALTER TABLE credits.balances RENAME TO balances_away")
    try:
        await client.publish(b'{"userId": "%s"}' % user.encode(), user, type="credits.balance")

        async def not_ready() -> bool:
            return "ledger" in (await worker.health()).get("problems", {})

        await until(not_ready, "the worker says that it is broken")
        assert await worker.meter("mana_partitions_consuming") == 0
    finally:
        await owner.execute("ALTER TABLE credits.balances_away RENAME TO balances")
