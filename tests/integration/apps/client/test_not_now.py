"""Goal: "not now" is tried again under the same key until the caller's time is over, as another message each time."""

from __future__ import annotations

import asyncio
import random
import uuid
from typing import Any

import msgspec
import pytest
from mana_client import InternalError, Mana, ManaError, OutcomeUnknown, Overloaded, Refused

from bench.bounds import bounded
from contracts.topology import WORKER_LOGIN
from ops.instance import Instance
from tests.faults.tools.proxy import Proxy
from tests.integration.api.ledger import ScriptedLedger, done, refusal, scripted, silence
from tests.integration.workers.running import until

USER = str(uuid.uuid4())


async def test_overloaded_is_tried_again_under_the_same_key(mana: Mana, ledger: ScriptedLedger) -> None:
    not_now = refusal("overloaded")
    ledger.answer = lambda kind, body: not_now(kind, body) if len(ledger.seen) < 3 else done(kind, body)
    result = await mana.use(USER, 1, description="d")
    assert {body["idempotencyKey"] for _, body, _ in ledger.seen} == {result.transaction.idempotency_key}
    assert len({message.message_id for _, _, message in ledger.seen}) == 3, "a refusal stands for its message"


async def test_overloaded_for_longer_than_the_caller_waits(
    mana: Mana, ledger: ScriptedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller's time ends in the pause after the second try: during a try nobody would know what came of it."""

    def part_of_the_pause(_least: float, _most: float) -> float:
        return 1.0 if len(ledger.seen) < 2 else 1_000.0

    ledger.answer = refusal("overloaded", limit=7)
    monkeypatch.setattr(random, "uniform", part_of_the_pause)
    with pytest.raises(Overloaded) as caught:
        await mana.use(USER, 1, description="d", timeout=3)
    assert caught.value.details == {"limit": 7}
    assert len(ledger.seen) == 2


@pytest.mark.parametrize(("code", "error"), [("internal", InternalError), ("brand_new", Refused)])
async def test_other_refusals_are_the_last_word(
    mana: Mana, ledger: ScriptedLedger, code: str, error: type[Refused]
) -> None:
    ledger.answer = refusal(code)
    with pytest.raises(error) as caught:
        await mana.use(USER, 1, description="d")
    assert caught.value.code == code
    assert len(ledger.seen) == 1


@pytest.mark.parametrize("reply", [b"", b"[]", b'{"ok": true}', b'{"ok": false, "error": {}}'])
async def test_what_is_no_reply(mana: Mana, ledger: ScriptedLedger, reply: bytes) -> None:
    """What became of a command that writes is not known then."""
    ledger.answer = lambda _type, _body: reply
    with pytest.raises(OutcomeUnknown, match="no reply of the contract") as caught:
        await mana.use(USER, 1, description="d")
    assert caught.value.key == ledger.seen[-1][1]["idempotencyKey"]
    with pytest.raises(ManaError, match="no reply of the contract"):
        await mana.balance(USER)


async def test_fields_of_later_versions_are_passed_over(mana: Mana, ledger: ScriptedLedger) -> None:
    def later(kind: str, body: dict[str, Any]) -> bytes:
        reply = msgspec.json.decode(done(kind, body))
        reply["new"] = reply["transaction"]["new"] = reply["balance"]["new"] = 1
        return msgspec.json.encode(reply)

    ledger.answer = later
    assert (await mana.use(USER, 1, description="d")).transaction.amount == -1


async def test_after_a_lost_connection_the_same_message_comes_again(
    servers: Instance, ledger: ScriptedLedger, proxy: Proxy
) -> None:
    ledger.answer = silence
    async with Mana(proxy.url(servers.addresses.amqp), app="chat") as behind:
        call = asyncio.create_task(behind.use(USER, 1, description="d"))
        await ledger.until(USER, "credits.use")
        ledger.answer = done
        await proxy.cut()
        await call
    first, second = (message for _, _, message in ledger.seen)
    assert (first.message_id, first.body) == (second.message_id, second.body)


async def test_a_full_queue(servers: Instance, mana: Mana) -> None:
    """Nobody consumes: what one command fills, the next finds full."""

    async def is_refused() -> bool:
        with pytest.raises(ManaError) as caught:
            await mana.use(USER, 1, description="d", timeout=0.2)
        return isinstance(caught.value, Overloaded)

    async with bounded(servers.env, 1):
        await until(is_refused, "the queue is full")
        waiting = asyncio.create_task(mana.use(USER, 1, description="the last"))
        # A ledger comes, and takes what is there.
        async with scripted(servers.addresses.amqp_as(WORKER_LOGIN)) as ledger:
            result = await waiting
    assert any(body["description"] == "the last" for _, body, _ in ledger.seen)
    assert result.transaction.user_id == USER
