"""Logins of apps at the broker, with the rights that the keeper gives them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import asdict

from bench.bounds import management
from contracts.apps import Permission, app_login, app_of
from contracts.topology import EVENTS_EXCHANGE, AppRights, app_rights
from ops import urls
from ops.instance import Instance

CHAT = app_login("chat", "k3f9x0a2b7c1")
NOTHING = AppRights(*["^$"] * 5)


@asynccontextmanager
async def login(
    instance: Instance, name: str, permissions: Collection[Permission] = (), rights: AppRights | None = None
) -> AsyncGenerator[str]:
    """The broker's address with this login in it, which is gone after the block."""
    vhost = urls.vhost_of(instance.addresses.amqp)
    given = asdict(rights or app_rights(app_of(name), permissions))
    topics = {kind: given.pop(f"topics_{kind}") for kind in ("write", "read")}
    async with management(instance.env) as broker:
        await broker.put("users", name, body={"password": "secret", "tags": ""})
        await broker.put("permissions", vhost, name, body=given)
        await broker.put("topic-permissions", vhost, name, body={"exchange": EVENTS_EXCHANGE, **topics})
        try:
            yield urls.with_login(instance.addresses.amqp, name, "secret")
        finally:
            await broker.delete("users", name)
