"""Logins that another Mana may live by, against a management API that only remembers."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, cast

import pytest

from ops import broker_logins
from ops.errors import LauncherError
from ops.management import Management

PASSWORDS = {login.name: f"password of {login.name}" for login in broker_logins.OUR_LOGINS}


def record(name: str, password: str, algorithm: str = "sha256") -> dict[str, Any]:
    """A user as GET /api/users tells it."""
    stored = b"salt" + hashlib.new(algorithm, b"salt" + password.encode()).digest()
    return {
        "name": name,
        "password_hash": base64.b64encode(stored).decode(),
        "hashing_algorithm": f"rabbit_password_hashing_{algorithm}",
    }


class Told:
    """Answers with these users."""

    where = "broker:15672"

    def __init__(self, *users: dict[str, Any]) -> None:
        self.users = users

    async def get(self, *path: str) -> Any:
        assert path == ("users",)
        return self.users


async def refuse_others(*users: dict[str, Any]) -> None:
    await broker_logins.refuse_others(cast("Management", Told(*users)), PASSWORDS)


async def test_a_fresh_broker_and_our_own_logins_are_fine() -> None:
    await refuse_others({"name": "guest", "password_hash": "", "hashing_algorithm": ""})
    await refuse_others(*(record(name, password) for name, password in PASSWORDS.items()))


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_a_login_with_another_password_is_refused(algorithm: str) -> None:
    name = next(iter(PASSWORDS))
    await refuse_others(record(name, PASSWORDS[name], algorithm))
    with pytest.raises(LauncherError, match=f"the login {name} already.*MANA_TAKE_OVER=1"):
        await refuse_others(record(name, "another's", algorithm))


async def test_a_login_that_cannot_be_compared_is_refused() -> None:
    name = next(iter(PASSWORDS))
    with pytest.raises(LauncherError, match=name):
        await refuse_others({**record(name, PASSWORDS[name]), "hashing_algorithm": "of_a_plugin"})
    with pytest.raises(LauncherError, match=name):
        await refuse_others({"name": name, "password_hash": "", "hashing_algorithm": "rabbit_password_hashing_sha256"})
