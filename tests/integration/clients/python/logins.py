"""Logins of apps at the broker, made by hand as an administrator would."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bench.bounds import management
from ops import urls
from ops.instance import Instance

MAY_SEND = {"configure": "^$", "write": r"^credits\.commands$", "read": "^$"}
MAY_NOTHING = {"configure": "^$", "write": "^$", "read": "^$"}


@asynccontextmanager
async def login(instance: Instance, name: str, permissions: dict[str, str] = MAY_SEND) -> AsyncGenerator[str]:
    """The broker's address with this login in it, which is gone after the block."""
    vhost = urls.vhost_of(instance.addresses.amqp)
    async with management(instance.env) as broker:
        await broker.put("users", name, body={"password": "secret", "tags": ""})
        await broker.put("permissions", vhost, name, body=permissions)
        try:
            yield urls.with_login(instance.addresses.amqp, name, "secret")
        finally:
            await broker.delete("users", name)
