"""Apps, as a test registers them: a row of the directory, and logins at the broker with the rights that go with it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from contracts.apps import DEFAULT_PERMISSIONS, Permission
from contracts.apps import app_login as login_of
from contracts.topology import app_rights
from ops import urls
from ops.instance import Instance
from ops.management import Management

_REGISTER = """
INSERT INTO credits.apps (id, name, permissions, commands_per_second, unanswered_max) VALUES ($1, $1, $2, $3, $4)
"""


@dataclass(frozen=True)
class TestApp:
    """A registered app. ``url`` is its login's at the broker."""

    __test__ = False
    id: str
    login: str
    url: str


@asynccontextmanager
async def registered(
    instance: Instance,
    owner: asyncpg.Connection,
    permissions: Collection[Permission] = DEFAULT_PERMISSIONS,
    *,
    commands_per_second: int | None = None,
    unanswered_max: int | None = None,
) -> AsyncGenerator[TestApp]:
    """An app with a fresh id and one login, which goes at the end; its row stays, as in life."""
    app_id = f"app-{secrets.token_hex(4)}"
    async with broker_login(instance, login_of(app_id, "k3f9x0a2b7c1"), app_id, permissions) as url:
        await owner.execute(_REGISTER, app_id, list(permissions), commands_per_second, unanswered_max)
        yield TestApp(app_id, login_of(app_id, "k3f9x0a2b7c1"), url)


@asynccontextmanager
async def broker_login(
    instance: Instance, login: str, app_id: str, permissions: Collection[Permission] = DEFAULT_PERMISSIONS
) -> AsyncGenerator[str]:
    """A login at the broker with an app's rights, until the block ends; its address."""
    addresses = instance.addresses
    rights = app_rights(app_id, permissions)
    password = secrets.token_hex(16)
    async with Management(addresses.management, *urls.login_of(addresses.amqp)) as broker:
        await broker.put("users", login, body={"password": password, "tags": ""})
        names = {"configure": rights.configure, "write": rights.write, "read": rights.read}
        await broker.put("permissions", urls.vhost_of(addresses.amqp), login, body=names)
        try:
            yield urls.with_login(addresses.amqp, login, password)
        finally:
            await broker.delete("users", login)


async def change(owner: asyncpg.Connection, app: TestApp, permissions: Collection[Permission]) -> None:
    """Gives a registered app other permissions."""
    await owner.execute(
        "UPDATE credits.apps SET permissions = $2, version = version + 1 WHERE id = $1", app.id, list(permissions)
    )


async def revoke(owner: asyncpg.Connection, app: TestApp) -> None:
    """Takes all its rights; its login at the broker stays, as it does for a moment in life."""
    await owner.execute("UPDATE credits.apps SET revoked_at = now(), version = version + 1 WHERE id = $1", app.id)
