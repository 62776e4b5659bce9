"""Apps: how they are named, what each may do, and who a login at the broker is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, get_args

Permission = Literal[
    "credits:use",
    "credits:refund",
    "credits:grant",
    "credits:adjust",
    "events:read",
    "users:read",
    "admin",
]
PERMISSIONS: Final[tuple[Permission, ...]] = get_args(Permission)
MEANINGS: Final[dict[Permission, str]] = {
    "credits:use": "uses users' credits under the app's own id",
    "credits:refund": "gives usages of its own back",
    "credits:grant": "grants free credits",
    "credits:adjust": "corrects balances",
    "events:read": "subscribes to the events of its own id",
    "users:read": "reads users, their balances and transactions, and whom a token is of",
    "admin": "does all that an administrator's login may, under any app's id",
}
"""What each of them lets an app do."""
DEFAULT_PERMISSIONS: Final[frozenset[Permission]] = frozenset({"credits:use", "credits:refund", "events:read"})
"""Of a new app for which no others were named."""
UNREGISTERED_PERMISSIONS: Final[frozenset[Permission]] = frozenset({"credits:use", "credits:refund"})
"""Of a login that somebody made at the broker by hand: the contract's rights of an app."""
SECRETS_MAX: Final = 2
"""Live at a time: one can replace the other without an outage."""
SECRET_PREFIX: Final = "mana_app_"  # noqa: S105 - no secret, but how one begins
"""Begins each secret of an app, so that scanners of leaked secrets know it."""
CHANGES_CHANNEL: Final = "mana_apps"
"""Where the database announces that apps or their secrets have changed."""
ON_BEHALF_HEADER: Final = "mana-app"
"""The header by which the front says for which app it sends a command: believed from the front's logins alone."""

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RESERVED: Final = frozenset({"credits", "mana", "stripe", "amq", "system", "user", "session"})
_RESERVED_PREFIX: Final = "mana-"


@dataclass(frozen=True)
class App:
    """What the ledger knows of a registered app. Limits that are ``None`` are the worker's settings'.

    ``revoked_secrets``: ids of those whose logins have no rights any more, whatever the broker still lets in.
    """

    id: str
    permissions: frozenset[Permission]
    commands_per_second: int | None = None
    unanswered_max: int | None = None
    revoked: bool = False
    revoked_secrets: frozenset[str] = frozenset()

    def may(self, permission: Permission) -> bool:
        """Whether it has the permission, or that of an administrator; never once it is revoked."""
        return not self.revoked and (permission in self.permissions or "admin" in self.permissions)


Apps = Mapping[str, App]
"""The registered apps by their ids."""
NO_APPS: Final[Apps] = {}


def directory(rows: Iterable[Mapping[str, Any]]) -> Apps:
    """Of the database's rows, whose columns are named as the fields of ``App``."""
    return {
        row["id"]: App(
            row["id"],
            frozenset(row["permissions"]),
            row["commands_per_second"],
            row["unanswered_max"],
            row["revoked"],
            frozenset(row["revoked_secrets"]),
        )
        for row in rows
    }


def app_id_problem(app_id: str) -> str | None:
    """Why this is no id for an app; ``None`` where it is one."""
    if not _ID.fullmatch(app_id):
        return "must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -"
    if app_id.lower() in _RESERVED or app_id.lower().startswith(_RESERVED_PREFIX):
        return "is reserved"
    return None


def app_login(app_id: str, secret_id: str) -> str:
    """The login at the broker that a secret of the app is the password of."""
    return f"{app_id}.{secret_id}"


def app_of(login: str) -> str:
    """The id of the app that a login belongs to: no app's id holds a dot."""
    return login.partition(".")[0]


def secret_of(login: str) -> str:
    """The id of the secret that a login's password is; empty for a login that somebody made by hand."""
    return login.partition(".")[2]


def own_names(app_id: str) -> str:
    """How the names of the app's own queues and exchanges begin."""
    return f"{app_id}."


def app_named(apps: Apps, app_id: str) -> App:
    """The registered app, or what the contract grants to one that is not registered."""
    return apps.get(app_id) or _unregistered(app_id)


@lru_cache(maxsize=1024)  # asked for each command; logins at the broker are few
def _unregistered(app_id: str) -> App:
    return App(app_id, UNREGISTERED_PERMISSIONS)
