"""Goal: nobody is told "not done" of what was sent before, and may have been taken, when something is refused."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from mana_client import Mana, NotAllowed, OutcomeUnknown, commands, link
from mana_client.link import Link, NotAccepted

from bench.bounds import bounded
from contracts.topology import WORKER_LOGIN
from ops.instance import Instance
from tests.faults.tools.proxy import Proxy
from tests.integration.api.ledger import ScriptedLedger, done, refusal, scripted, silence
from tests.integration.apps.client.logins import CHAT, NOTHING, login
from tests.integration.workers.running import until

_NOT_FOR_APPS = "credits.events"


@pytest.fixture
def user() -> str:
    return str(uuid.uuid4())


async def _fate(opened: Link, user: str) -> str:
    fields = {"amount": 1, "appId": "chat", "description": "d"}
    try:
        await opened.publish(commands.command("credits.use", user, str(uuid.uuid4()), None, fields), str(uuid.uuid4()))
    except (link.Lost, NotAccepted, NotAllowed) as error:
        return type(error).__name__
    return "confirmed"


async def test_what_was_taken_is_not_called_refused_with_the_next(
    servers: Instance, ledger: ScriptedLedger, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is confirmed: the broker closes the channel, and does not say for which."""
    async with login(servers, CHAT) as url:
        opened = await Link.open(lambda: url, lambda _id, _body: None)
        try:
            first = asyncio.create_task(_fate(opened, user))
            await asyncio.sleep(0)
            monkeypatch.setattr(link, "_COMMANDS", _NOT_FOR_APPS)
            others = [asyncio.create_task(_fate(opened, user)) for _ in range(3)]
            assert await first == "confirmed"
            fates = [await other for other in others]
            assert set(fates) <= {"Lost", "NotAllowed"}
            assert fates[-1] == "NotAllowed"
        finally:
            await opened.close()
    await ledger.until(user, "credits.use")
    assert len(ledger.of(user)) == 1


async def test_nobody_is_let_in(servers: Instance, user: str) -> None:
    """All are told by the one that was sent."""
    async with login(servers, CHAT, rights=NOTHING) as url:
        opened = await Link.open(lambda: url, lambda _id, _body: None)
        try:
            assert await asyncio.gather(*(_fate(opened, user) for _ in range(4))) == ["NotAllowed"] * 4
        finally:
            await opened.close()


async def test_a_right_that_is_withdrawn_tells_nothing_of_an_earlier_sending(
    servers: Instance, ledger: ScriptedLedger, proxy: Proxy, user: str
) -> None:
    """The ledger looks whether the sender may before it looks whether the command is done."""
    ledger.answer = silence
    async with Mana(proxy.url(servers.addresses.amqp), app="chat") as behind:
        call = asyncio.create_task(behind.use(user, 1, description="d", key="chat:withdrawn"))
        await ledger.until(user, "credits.use")
        ledger.answer = refusal("forbidden")
        await proxy.cut()
        with pytest.raises(OutcomeUnknown) as caught:
            await call
    assert caught.value.key == "chat:withdrawn"


async def test_a_full_queue_tells_nothing_of_an_earlier_sending(
    servers: Instance, mana: Mana, proxy: Proxy, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the same message comes again, until it is taken: another one's refusal would not be its own."""
    refused = asyncio.Event()
    publish = Link.publish

    async def watched(self: Link, command: commands.Command, message_id: str) -> None:
        try:
            await publish(self, command, message_id)
        except NotAccepted:
            refused.set()
            raise

    async def is_full() -> bool:
        filling = asyncio.create_task(mana.use(user, 1, description="fills", timeout=0.2))
        await asyncio.wait({filling})
        return refused.is_set()

    monkeypatch.setattr(Link, "publish", watched)
    async with Mana(proxy.url(servers.addresses.amqp), app="chat") as behind:
        before = proxy.bytes("down")
        call = asyncio.create_task(behind.use(user, 1, description="sent twice", timeout=30))

        async def is_confirmed() -> bool:
            return proxy.bytes("down") > before

        await until(is_confirmed, "the first sending is taken")
        async with bounded(servers.env, 1):
            await until(is_full, "the queue is full")
            refused.clear()
            await proxy.cut()
            await refused.wait()
        async with scripted(servers.addresses.amqp_as(WORKER_LOGIN)) as ledger:
            ledger.answer = lambda kind, body: done(kind, body) if body["description"] == "sent twice" else None
            await call
            sent = [message.message_id for _, body, message in ledger.seen if body["description"] == "sent twice"]
    assert len(set(sent)) == 1
