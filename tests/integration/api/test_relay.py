"""The outbox's relay: what the front left is delivered once the broker confirms it, and never forgotten before."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import httpx

from ops.instance import Instance
from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.process import relay, until_ready
from tests.integration.api.users import register

_WAITING = "SELECT count(*) FROM auth.outbox WHERE user_id = $1::text::uuid"


async def test_what_the_front_left_is_delivered(
    http: httpx.AsyncClient, ledger: ScriptedLedger, servers: Instance, owner: asyncpg.Connection, logs: Path
) -> None:
    """[66]."""
    ledger.opens = False
    users = [user["id"] for user in await asyncio.gather(*(register(http) for _ in range(3)))]
    assert [ledger.of(user) for user in users] == [["account.open"]] * 3
    async with relay(servers, logs) as process:
        await until_ready(process)
        async with asyncio.timeout(10):
            # The broker has confirmed each before the ledger takes it.
            while any([await owner.fetchval(_WAITING, user) or len(ledger.of(user)) < 2 for user in users]):
                await asyncio.sleep(0.1)
        async with httpx.AsyncClient(base_url=process.url, timeout=40) as there:
            metrics = (await there.get("/metrics")).text
    assert [ledger.of(user) for user in users] == [["account.open"] * 2] * 3
    assert "mana_outbox_waiting" in metrics
    assert "mana_outbox_delivered_total" in metrics


async def test_what_is_young_is_left_to_the_front(
    ledger: ScriptedLedger, servers: Instance, owner: asyncpg.Connection, logs: Path
) -> None:
    insert = (
        "INSERT INTO auth.outbox (id, user_id, command, body, created_at) VALUES (gen_random_uuid(), $1::text::uuid,"
        " 'account.open', json_build_object('userId', $1::text, 'idempotencyKey', 'mana:open'),"
        " now() + $2 * interval '1 s')"
    )
    young, old = "01900000-0000-7000-8000-00000000000a", "01900000-0000-7000-8000-00000000000b"
    await owner.execute(insert, young, 60)
    await owner.execute(insert, old, -60)
    async with relay(servers, logs) as process:
        await until_ready(process)
        await ledger.until(old, "account.open")
        await asyncio.sleep(1)
    assert ledger.of(young) == []
    await owner.execute("DELETE FROM auth.outbox WHERE user_id = $1::text::uuid", young)


async def test_what_is_over_goes(servers: Instance, owner: asyncpg.Connection, logs: Path) -> None:
    await owner.execute("INSERT INTO auth.revocations VALUES (gen_random_uuid(), now() - interval '27 h')")
    async with relay(servers, logs) as process, asyncio.timeout(10):
        while await owner.fetchval("SELECT count(*) FROM auth.revocations WHERE ended_at < now() - interval '26 h'"):
            await asyncio.sleep(0.1)
        async with httpx.AsyncClient(base_url=process.url, timeout=40) as there:
            while "mana_upkeep_last_round 0.0" in (await there.get("/metrics")).text:
                await asyncio.sleep(0.1)
