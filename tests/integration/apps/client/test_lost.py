"""Goal: whatever is lost between client and broker, a call is done once, and its caller learns what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from urllib.parse import urlsplit

import pytest
from mana_client import Mana, NoAnswer, NotConnected, OutcomeUnknown, Overloaded, Result, asking, link

from bench.bounds import management
from ops import urls
from ops.instance import Instance
from tests.e2e.client import Client
from tests.faults.tools.broker import Broker
from tests.faults.tools.proxy import Proxy
from tests.integration.workers.running import until


@pytest.fixture
async def behind(servers: Instance, proxy: Proxy) -> AsyncGenerator[Mana]:
    """Our client, behind the disturbed network."""
    async with Mana(proxy.url(servers.addresses.amqp), app="chat") as client:
        yield client


async def _spent(administrator: Client, user: str) -> int:
    return (await administrator.call("credits.balance", user))["balance"]["totalSpent"]


async def _until_charged(administrator: Client, user: str) -> None:
    async def look() -> bool:
        return await _spent(administrator, user) > 0

    await until(look, "the command that cannot be answered is carried out")


async def _is_done_once(
    call: Coroutine[None, None, Result], administrator: Client, user: str, amount: int = 3
) -> Result:
    result = await call
    assert result.transaction.amount == -amount
    assert await _spent(administrator, user) == amount
    return result


async def test_the_answer_is_lost_with_the_connection(
    behind: Mana, proxy: Proxy, administrator: Client, user: str
) -> None:
    await behind.balance(user)
    proxy.freeze("down")
    call = asyncio.create_task(behind.use(user, 3, description="d"))
    await _until_charged(administrator, user)
    await proxy.cut()
    proxy.thaw("down")
    async with asyncio.timeout(10):
        assert (await _is_done_once(asyncio.wait_for(call, 10), administrator, user)).replayed


async def test_the_command_is_lost_with_the_connection(
    behind: Mana, proxy: Proxy, administrator: Client, user: str
) -> None:
    await behind.balance(user)
    reached = proxy.limit(10, "up")
    result = await _is_done_once(behind.use(user, 3, description="d"), administrator, user)
    assert reached.is_set()
    assert not result.replayed


@pytest.mark.parametrize("size", [0, 5, 60, 200])
async def test_the_answers_bytes_are_lost(
    behind: Mana, proxy: Proxy, administrator: Client, user: str, size: int
) -> None:
    """From the confirm's first byte into the reply's body: cut there, wherever it hits."""
    reached = proxy.limit_behind(b"credits.use", size)
    await _is_done_once(behind.use(user, 3, description="d"), administrator, user)
    assert reached.is_set()


@pytest.mark.own_servers
async def test_many_are_under_way_when_everybody_is_thrown_out(
    servers: Instance, mana: Mana, administrator: Client, user: str
) -> None:
    calls = [asyncio.create_task(_one_by_one(mana, user)) for _ in range(8)]
    await _until_charged(administrator, user)
    await Broker(servers).close_all_connections()
    done = [result for results in await asyncio.gather(*calls) for result in results]
    assert len({result.transaction.id for result in done}) == len(done) == 120
    assert (await mana.balance(user)).total_spent == 120


async def _one_by_one(mana: Mana, user: str) -> list[Result]:
    return [await mana.use(user, 1, description="d") for _ in range(15)]


async def test_an_unknown_outcome_can_be_asked_for(
    behind: Mana, proxy: Proxy, administrator: Client, user: str
) -> None:
    await behind.balance(user)
    proxy.freeze("down")
    with pytest.raises(OutcomeUnknown) as caught:
        await behind.use(user, 3, description="d", timeout=0.3)
    await _until_charged(administrator, user)
    proxy.thaw("down")
    again = behind.use(user, 3, description="d", key=caught.value.key)
    assert (await _is_done_once(again, administrator, user)).replayed


async def test_a_read_without_an_answer(behind: Mana, proxy: Proxy, user: str) -> None:
    await behind.balance(user)
    proxy.freeze("down")
    with pytest.raises(NoAnswer) as caught:
        await behind.balance(user, timeout=0.2)
    assert not isinstance(caught.value, OutcomeUnknown)
    proxy.thaw("down")
    assert (await behind.balance(user)).available == 150


async def test_closing_tells_who_waits(
    servers: Instance, proxy: Proxy, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the broker does not take the goodbye."""
    monkeypatch.setattr(link, "_CLOSE_SECONDS_MAX", 0.1)
    async with Mana(proxy.url(servers.addresses.amqp), app="chat") as client:
        await client.balance(user)
        proxy.freeze("down")
        passed = proxy.bytes("up")
        call = asyncio.create_task(client.use(user, 3, description="d"))

        async def is_out() -> bool:
            return proxy.bytes("up") > passed

        await until(is_out, "the command is sent")
    with pytest.raises(OutcomeUnknown):
        await call
    proxy.thaw("down")


async def test_nothing_is_sent_while_the_broker_is_away(
    behind: Mana, proxy: Proxy, administrator: Client, user: str
) -> None:
    await behind.balance(user)
    async with proxy.down():
        with pytest.raises((NoAnswer, Overloaded)):  # whether the client has seen it by then or not
            await behind.balance(user, timeout=0.2)
        with pytest.raises(Overloaded):
            await behind.use(user, 3, description="d", timeout=0.2)
        waiting = asyncio.create_task(behind.use(user, 4, description="d"))
    await _is_done_once(asyncio.wait_for(waiting, 10), administrator, user, amount=4)


async def test_opening_says_when_the_broker_is_away(servers: Instance, proxy: Proxy) -> None:
    async with proxy.down():
        with pytest.raises(NotConnected):
            await Mana(proxy.url(servers.addresses.amqp), app="chat", timeout=0.3).__aenter__()


async def test_a_broker_that_nobody_has_prepared(
    servers: Instance, proxy: Proxy, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not asked without a pause, though it closes the channel each time. The caller's time ends in such a pause:
    during a try nobody would know what came of it."""
    monkeypatch.setattr(asking, "_PAUSES", (0.05, 0.1, 1_000.0))
    administrator, _ = urls.login_of(servers.addresses.amqp)
    async with management(servers.env) as broker:
        await broker.put("vhosts", "empty", body={})
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        await broker.put("permissions", "empty", administrator, body=everything)
        try:
            url = urlsplit(proxy.url(servers.addresses.amqp))._replace(path="/empty").geturl()
            async with Mana(url, app="chat") as client:
                with pytest.raises(Overloaded, match="nothing that takes commands"):
                    await client.use(user, 1, description="d", timeout=2.0)
        finally:
            await broker.delete("vhosts", "empty")
    assert 1 < proxy.accepted <= 3
