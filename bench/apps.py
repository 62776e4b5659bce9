"""Apps of a run: rows of the directory, and a login of each at the broker."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final

import asyncpg

from api.apps.admin.minting import mint
from bench.bounds import management
from contracts.apps import DEFAULT_PERMISSIONS, app_login
from contracts.topology import EVENTS_EXCHANGE, app_rights
from ops import urls
from ops.instance import Instance

_HASHING: Final = "rabbit_password_hashing_sha256"
_REGISTER: Final = "INSERT INTO credits.apps (id, name, permissions) VALUES ($1, $1, $2)"
_KEEP_HASH: Final = "INSERT INTO auth.app_secrets (id, app_id, slot, hash, made_version) VALUES ($1, $2, 1, $3, 1)"
_LIMIT: Final = """
UPDATE credits.apps SET commands_per_second = $2, unanswered_max = $2, version = version + 1 WHERE id = $1
"""
_PAUSES: Final = "SELECT count(*) FROM auth.security_events WHERE type = 'app.paused' AND details->>'app' = $1"


async def register(instance: Instance, app_id: str) -> str:
    """Makes an app with the rights of a new one, as the keeper does; the address of its login at the broker."""
    rights, secret = app_rights(app_id, DEFAULT_PERMISSIONS), mint(app_id)
    login, amqp = app_login(app_id, secret.id), instance.addresses.amqp
    user = {"password_hash": b64encode(secret.hash).decode(), "hashing_algorithm": _HASHING, "tags": ""}
    async with management(instance.env) as broker:
        await broker.put("users", login, body=user)
        names = {"configure": rights.configure, "write": rights.write, "read": rights.read}
        topics = {"exchange": EVENTS_EXCHANGE, "write": rights.topics_write, "read": rights.topics_read}
        await broker.put("topic-permissions", urls.vhost_of(amqp), login, body=topics)
        await broker.put("permissions", urls.vhost_of(amqp), login, body=names)
    await _execute(instance, _REGISTER, app_id, list(DEFAULT_PERMISSIONS))
    await _execute(instance, _KEEP_HASH, secret.id, app_id, secret.hash)
    return urls.with_login(amqp, login, secret.text)


async def limit(instance: Instance, app_id: str, per_second: int) -> None:
    """From now on the app may so many commands a second, and as many without an answer."""
    await _execute(instance, _LIMIT, app_id, per_second)


async def count_pauses(instance: Instance, app_id: str) -> int:
    """How often a login of the app was paused."""
    return int(await _execute(instance, _PAUSES, app_id))


async def _execute(instance: Instance, sql: str, *arguments: object) -> Any:
    connection = await asyncpg.connect(instance.env["MANA_DATABASE_OWNER_URL"])
    try:
        return await connection.fetchval(sql, *arguments)
    finally:
        await connection.close()
