"""A worker without its broker: a session with every lease, and commands put straight before the executor."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import msgspec
import uuid_utils

from contracts.commands import COMMANDS, Command
from contracts.permissions import Actor
from contracts.replies import BalanceRead, Done, Refused, Reply
from tests.integration.ledger.server import PARTITIONS, Database
from workers.ledger.execute import Committed, Executor
from workers.ledger.model import Request, Terms
from workers.ledger.store.leases import Leases
from workers.ledger.store.session import Session

APP = Actor("app")


def fresh_ids() -> Iterator[str]:
    """UUIDs of version 7."""
    while True:
        yield str(uuid_utils.uuid7())


def fresh_user() -> str:
    """The id of a user that nobody has met."""
    return str(uuid.uuid4())


def request(
    kind: str,
    user: str,
    key: str | None = None,
    *,
    partition: int | None = None,
    actor: Actor = APP,
    identity: str = "",
    redelivered: bool = False,
    deadline: datetime | None = None,
    traceparent: str | None = None,
    **fields: Any,
) -> Request:
    """A command by its wire name and fields, as the intake would hand it over."""
    body = {"userId": user, **({"idempotencyKey": key} if key else {}), **fields}
    command: Command = msgspec.json.decode(msgspec.json.encode(body), type=COMMANDS[kind])
    return Request(
        command=command,
        actor=actor,
        partition=partition_of(user) if partition is None else partition,
        identity=identity,
        redelivered=redelivered,
        deadline=deadline,
        traceparent=traceparent,
    )


def partition_of(user: str) -> int:
    """Any fixed spreading will do: here the broker hashes nothing."""
    return uuid.UUID(user).int % PARTITIONS


@dataclass
class Owner:
    """All partitions are ours."""

    session: Session
    leases: Leases
    epochs: dict[int, int]
    executor: Executor

    @classmethod
    @asynccontextmanager
    async def of(
        cls, database: Database, terms: Terms | None = None, settings: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Self]:
        """Registers on a session of its own, which is dropped at the end."""
        session = await Session.open(database.url("mana_worker"), application_name="test", settings=settings)
        try:
            leases = Leases(session)
            await leases.register(str(uuid.uuid4()), "test")
            taken = await leases.take(range(PARTITIONS))
            epochs = {lease.partition: lease.epoch for lease in taken}
            yield cls(session, leases, epochs, Executor(session, terms or Terms(), fresh_ids()))
        finally:
            session.abort()

    async def execute(self, *requests: Request, marks: Mapping[int, int] | None = None) -> Committed:
        """One batch."""
        return await self.executor.execute(requests, self.epochs, marks or {})

    async def do(self, *requests: Request) -> Sequence[Reply]:
        """The replies to one batch."""
        return (await self.execute(*requests)).replies

    async def open(self, **more: Any) -> str:
        """A new account with its signup bonus of 150 free credits, unless told otherwise."""
        user = fresh_user()
        await self.do(request("account.open", user, "open", **more))
        return user

    async def use(self, user: str, amount: int, key: str, **more: Any) -> Reply:
        """One usage by the app "chat"."""
        return (await self.do(use(user, amount, key, **more)))[0]


def use(user: str, amount: int, key: str, **more: Any) -> Request:
    """A usage by the app "chat"."""
    fields: dict[str, Any] = {"amount": amount, "appId": "chat", "description": "answer", **more}
    return request("credits.use", user, key, **fields)


def done(reply: Reply) -> Done:
    """The reply, which must be one to a command that was carried out."""
    assert isinstance(reply, Done), reply
    return reply


def refused(reply: Reply) -> str:
    """The code of the reply, which must be a refusal."""
    assert isinstance(reply, Refused), reply
    return reply.error.code


def free_credits(reply: Reply) -> int:
    """The free part that a reply tells of."""
    assert isinstance(reply, Done | BalanceRead), reply
    return reply.balance.free_credits_remaining
