"""A scripted ledger: takes commands from the real queues, as a worker would, and answers what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aio_pika
import msgspec
from aio_pika.abc import AbstractIncomingMessage

from contracts.topology import PREFETCH, command_queue
from tests.integration.api.process import PARTITIONS

Answer = Callable[[str, dict[str, Any]], bytes | None]
"""From a command's type and body to its reply; ``None`` for none."""

MOMENT = "2026-01-01T00:00:00Z"


def done(_: str, body: dict[str, Any]) -> bytes:
    """A reply of success, recognisable by its odd spacing: it must reach the client as it was written."""
    transaction = (
        f'{{"id": "01900000-0000-7000-8000-000000000001", "userId": "{body["userId"]}", "type": "usage",'
        f' "status": "completed", "amount": -{body.get("amount", 1)}, "balanceBefore": 150, "balanceAfter": 149,'
        f' "appId": "chat", "origin": "user", "description": "d", "metadata": {{"n": 1.10}},'
        f' "idempotencyKey": {msgspec.json.encode(body["idempotencyKey"]).decode()}, "refersTo": null,'
        f' "sequence": 2, "createdAt": "{MOMENT}", "completedAt": "{MOMENT}"}}'
    )
    balance = '{"balance": 0, "freeCreditsRemaining": 149, "totalEarned": 150, "totalSpent": 1}'
    return f'{{"ok": true, "replayed": false, "transaction": {transaction}, "balance": {balance}}}'.encode()


def refusal(code: str, **details: Any) -> Answer:
    """An answer that refuses everything."""
    error = {"code": code, "message": "no", "details": details}
    return lambda _type, _body: msgspec.json.encode({"ok": False, "error": error})


def silence(_type: str, _body: dict[str, Any]) -> None:
    """No answer."""


@dataclass
class ScriptedLedger:
    """What came, and what is answered; ``account.open`` always succeeds unless ``opens`` is false; nothing is
    acknowledged while ``holds`` is true."""

    answer: Answer = done
    opens: bool = True
    holds: bool = False
    seen: list[tuple[str, dict[str, Any], AbstractIncomingMessage]] = field(
        default_factory=list[tuple[str, dict[str, Any], AbstractIncomingMessage]]
    )
    under_way: int = 0

    async def take(self, message: AbstractIncomingMessage) -> None:
        """Answers one command, then acknowledges it."""
        self.under_way += 1
        try:
            await self._take(message)
        finally:
            self.under_way -= 1

    async def _take(self, message: AbstractIncomingMessage) -> None:
        body = msgspec.json.decode(message.body)
        kind = message.type or ""
        self.seen.append((kind, body, message))
        opening = kind == "account.open"
        reply = (done if self.opens else silence)(kind, body) if opening else self.answer(kind, body)
        if reply is not None and message.reply_to:
            properties = aio_pika.Message(reply, correlation_id=message.correlation_id, type="credits.result")
            exchange = message.channel  # the raw channel: replies must not be mandatory
            await exchange.basic_publish(
                reply, routing_key=message.reply_to, properties=properties.properties, mandatory=False
            )
        while self.holds:
            await asyncio.sleep(0.05)
        await message.ack()

    async def finish(self) -> None:
        """Waits until all that was answered is acknowledged: else it would come again, to the next ledger."""
        async with asyncio.timeout(10):
            while self.under_way and not self.holds:
                await asyncio.sleep(0.01)

    def of(self, user_id: str) -> list[str]:
        """The types of the commands of one user, in the order in which they came."""
        return [kind for kind, body, _ in self.seen if body["userId"] == user_id]

    async def until(self, user_id: str, kind: str) -> None:
        """Waits until such a command came."""
        async with asyncio.timeout(10):
            while kind not in self.of(user_id):
                await asyncio.sleep(0.05)

    async def message_id_of(self, key: str) -> str | None:
        """Waits until a command with this idempotency key came, and tells which message brought it."""
        async with asyncio.timeout(10):
            while not (found := [message for _, body, message in self.seen if body.get("idempotencyKey") == key]):
                await asyncio.sleep(0.05)
        return found[-1].message_id


@asynccontextmanager
async def scripted(url: str) -> AsyncGenerator[ScriptedLedger]:
    """Consumes every partition with the workers' login."""
    ledger = ScriptedLedger()
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=PREFETCH)
        for number in range(PARTITIONS):
            queue = await channel.get_queue(command_queue(number), ensure=False)
            await queue.consume(ledger.take)
        yield ledger
        await ledger.finish()
