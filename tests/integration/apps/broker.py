"""The broker from outside: what its administrator sees of logins, and connections that apps open."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import aio_pika
import httpx
from aio_pika.abc import AbstractConnection

from api.apps.admin.changing import Changes
from api.apps.admin.model import Declared, NewSecret
from api.apps.admin.readiness import await_broker
from api.database import Database
from api.operators.apps.acting import changing, found
from contracts.apps import DEFAULT_PERMISSIONS, Permission
from ops.instance import Instance

SOON = 10.0
"""Half as long as the keeper's rounds that nobody asks for are apart."""
_NUMBERS = itertools.count()
Result = TypeVar("Result")


@dataclass(frozen=True)
class Given:
    """A secret as ``./mana`` printed it."""

    app: str
    id: str
    text: str
    url: str

    @property
    def login(self) -> str:
        """The broker's login of it."""
        return f"{self.app}.{self.id}"


@dataclass(frozen=True)
class Broker:
    """``management`` is an administrator's client of the API, ``database`` that of the rows' owner."""

    instance: Instance
    management: httpx.AsyncClient
    database: Database

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """What an administrator's call is answered."""
        answer = await self.management.request(method, f"/api/{path}", json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    async def logins(self, app: str) -> set[str]:
        """The logins of an app that there are."""
        return {user["name"] for user in await self.ask("GET", "users") if user["name"].startswith(f"{app}.")}

    async def connections(self, login: str) -> list[str]:
        """The names of its connections."""
        return [one["name"] for one in await self.ask("GET", f"connections/username/{quote(login)}")]

    async def new_app(self, *permissions: Permission) -> Given:
        """An app with an id that none has, and its first secret; with the usual permissions where none are named."""
        return await self.create(f"test-{next(_NUMBERS)}", *permissions)

    async def create(self, app: str, *permissions: Permission) -> Given:
        """An app of that id, with its first secret, which the broker knows."""
        declared = Declared(app, permissions or tuple(DEFAULT_PERMISSIONS), None, None)
        return await self._handed(app, lambda changes: changes.create(app, declared))

    async def add_secret(self, app: str) -> Given:
        """Another secret of an app, which the broker knows."""
        return await self._handed(app, lambda changes: changes.add_secret(app))

    async def revoke_secret(self, given: Given) -> None:
        """Returns when the row is written; the broker is yet to be told."""
        await self.change(lambda changes: changes.revoke_secret(given.app, given.id))

    async def change(self, does: Callable[[Changes], Awaitable[Result]]) -> Result:
        """What ``./mana apps`` does, without its process."""
        async with changing(self.database) as changes:
            return await does(changes)

    async def settled(self, app: str) -> None:
        """Returns once the broker is as the app's rows say."""
        assert (await await_broker(lambda: found(self.database, app), 20)).broker_ready

    async def _handed(self, app: str, does: Callable[[Changes], Awaitable[NewSecret]]) -> Given:
        secret = await self.change(does)
        await self.settled(app)
        where = self.instance.env["MANA_AMQP_URL"].rpartition("@")[2]
        return Given(app, secret.id, secret.text, f"amqp://{secret.login}:{secret.text}@{where}")


@asynccontextmanager
async def managed(instance: Instance) -> AsyncGenerator[Broker]:
    """The broker of an instance."""
    administrator = urlsplit(instance.env["MANA_AMQP_URL"])
    login = administrator.username or "", administrator.password or ""
    url = instance.env["MANA_RABBITMQ_MANAGEMENT_URL"]
    async with (
        httpx.AsyncClient(base_url=url, auth=login, trust_env=False, timeout=20) as management,
        Database.connected(instance.addresses.database_as("mana_owner"), 2, "apps-tests") as database,
    ):
        yield Broker(instance, management, database)


@asynccontextmanager
async def connected(given: Given) -> AsyncGenerator[tuple[AbstractConnection, asyncio.Future[BaseException | None]]]:
    """A connection of an app's, and what tells when and why the broker ended it."""
    connection = await aio_pika.connect(given.url)
    ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    def note(_: Any, reason: BaseException | None) -> None:
        if not ended.done():
            ended.set_result(reason)

    connection.close_callbacks.add(note)
    try:
        yield connection, ended
    finally:
        await connection.close()
