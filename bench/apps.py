"""Apps of a run: rows of the directory, and a login of each at the broker."""

from __future__ import annotations

import secrets
from typing import Final

import asyncpg

from bench.bounds import management
from contracts.apps import DEFAULT_PERMISSIONS, app_login
from contracts.topology import app_rights
from ops import urls
from ops.instance import Instance

_LOGIN_ID: Final = "000000000000"
_REGISTER: Final = "INSERT INTO credits.apps (id, name, permissions) VALUES ($1, $1, $2)"
_LIMIT: Final = """
UPDATE credits.apps SET commands_per_second = $2, unanswered_max = $2, version = version + 1 WHERE id = $1
"""


async def register(instance: Instance, app_id: str) -> str:
    """Makes an app with the rights of a new one; the address of its login at the broker."""
    rights, password = app_rights(app_id, DEFAULT_PERMISSIONS), secrets.token_hex(16)
    login, amqp = app_login(app_id, _LOGIN_ID), instance.addresses.amqp
    async with management(instance.env) as broker:
        await broker.put("users", login, body={"password": password, "tags": ""})
        names = {"configure": rights.configure, "write": rights.write, "read": rights.read}
        await broker.put("permissions", urls.vhost_of(amqp), login, body=names)
    await _execute(instance, _REGISTER, app_id, list(DEFAULT_PERMISSIONS))
    return urls.with_login(amqp, login, password)


async def limit(instance: Instance, app_id: str, per_second: int) -> None:
    """From now on the app may so many commands a second, and as many without an answer."""
    await _execute(instance, _LIMIT, app_id, per_second)


async def _execute(instance: Instance, sql: str, *arguments: object) -> None:
    connection = await asyncpg.connect(instance.env["MANA_DATABASE_OWNER_URL"])
    try:
        await connection.execute(sql, *arguments)
    finally:
        await connection.close()
