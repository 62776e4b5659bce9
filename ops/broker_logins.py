"""Our logins at the broker: made, or found to be somebody else's."""

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from contracts.topology import ADMIN_LOGIN, LOGINS, BrokerLogin
from ops import taken
from ops.management import Management

# The administrator exists already: as the private broker's first user, or as who the given address logs in as.
OUR_LOGINS = tuple(login for login in LOGINS if login.name != ADMIN_LOGIN)
_HASHES = {"rabbit_password_hashing_sha256": "sha256", "rabbit_password_hashing_sha512": "sha512"}
_SALT_BYTES = 4


async def refuse_others(broker: Management, passwords: Mapping[str, str]) -> None:
    """Raises LauncherError where one of our logins exists with a password that is not ours.

    Logins belong to the whole broker, also those of another virtual host: to change one would shut out the Mana
    that lives by it.
    """
    users = {user["name"]: user for user in await broker.get("users")}
    for login in OUR_LOGINS:
        held = users.get(login.name)
        if held is not None and not has_password(held, passwords[login.name]):
            raise taken.refusal("RabbitMQ", broker.where, "login", login.name)


def has_password(user: Mapping[str, Any], password: str) -> bool:
    """Whether the broker's record of a user is of this password (RabbitMQ's documentation, "Passwords")."""
    algorithm = _HASHES.get(user.get("hashing_algorithm", ""))
    if algorithm is None:
        return False
    stored = base64.b64decode(user.get("password_hash", ""))
    salt = stored[:_SALT_BYTES]
    return stored == salt + hashlib.new(algorithm, salt + password.encode()).digest()


def password_hash(password: str) -> str:
    """What the broker keeps of a password; its salt is made from the password, so that it is always the same."""
    salt = hashlib.sha256(b"mana salt" + password.encode()).digest()[:_SALT_BYTES]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


async def make(broker: Management, vhost: str, passwords: Mapping[str, str]) -> None:
    """Make each of our logins exist, with its password and its rights."""
    await asyncio.gather(*(_make(broker, vhost, login, passwords[login.name]) for login in OUR_LOGINS))


async def change_password(broker: Management, name: str, password: str) -> None:
    """From now on the login has this one; its connections stay.

    Also who asks for it, where it has this password already too.
    """
    login = next(login for login in LOGINS if login.name == name)
    if name == broker.login:
        async with broker.with_password(password) as renewed:
            if await renewed.is_admitted():
                return
    await broker.put("users", name, body={"password_hash": password_hash(password), "tags": ",".join(login.tags)})


async def end_connections(broker: Management, name: str) -> None:
    """End all connections of the login."""
    await broker.delete("connections", "username", name)


async def _make(broker: Management, vhost: str, login: BrokerLogin, password: str) -> None:
    await broker.put("users", login.name, body={"password": password, "tags": ",".join(login.tags)})
    permissions = {"configure": login.configure, "write": login.write, "read": login.read}
    await broker.put("permissions", vhost, login.name, body=permissions)
