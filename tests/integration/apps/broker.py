"""The broker from outside: what its administrator sees of logins, and connections that apps open."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import aio_pika
import httpx
from aio_pika.abc import AbstractConnection

from ops.instance import Instance
from tests.integration.api.operators import Said, launch

_NUMBERS = itertools.count()


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
    """``management`` is an administrator's client of the API."""

    instance: Instance
    management: httpx.AsyncClient

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

    async def mana(self, *words: str) -> Said:
        """What ``./mana apps`` says."""
        return await launch(self.instance, "apps", *words)

    async def new_app(self, *options: str) -> Given:
        """An app with an id that none has, and its first secret, by ``./mana apps create``."""
        app = f"test-{next(_NUMBERS)}"
        return self.given(app, await self.mana("create", app, *options))

    def given(self, app: str, said: Said) -> Given:
        """The secret that was printed."""
        assert (said.status, said.errors) == (0, ""), said
        words = said.output.split()
        (url,) = [word for word in words if word.startswith("amqp://")]
        (text,) = [word for word in words if word.startswith("mana_app_")]
        login = urlsplit(url).username or ""
        return Given(app, login.removeprefix(f"{app}."), text, url)


@asynccontextmanager
async def managed(instance: Instance) -> AsyncGenerator[Broker]:
    """The broker of an instance."""
    administrator = urlsplit(instance.env["MANA_AMQP_URL"])
    login = administrator.username or "", administrator.password or ""
    url = instance.env["MANA_RABBITMQ_MANAGEMENT_URL"]
    async with httpx.AsyncClient(base_url=url, auth=login, trust_env=False, timeout=20) as management:
        yield Broker(instance, management)


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
