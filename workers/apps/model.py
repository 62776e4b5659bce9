"""Plain data: what the rows say of apps, what the broker holds, and what is to be done about the difference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from contracts.apps import Permission, app_login

HASHING: Final = "rabbit_password_hashing_sha256"


class Secret(Struct, frozen=True, kw_only=True):
    """A secret of an app. ``hash`` is ``None`` once it is revoked, or its app is.

    ``version`` is its app's; ``made_version`` that of which the login was last made; ``gone``: login and connections of
    a revoked one are known to be gone. ``paused_s``: for so many seconds more its login may not send commands.
    """

    id: str
    hash: bytes | None
    version: int
    made_version: int | None
    gone: bool
    paused_s: float = 0.0


class KeptApp(Struct, frozen=True, kw_only=True):
    """An app, with every secret that it ever had."""

    id: str
    permissions: frozenset[Permission]
    revoked: bool
    secrets: tuple[Secret, ...]

    def login(self, secret: Secret) -> str:
        """The broker's login that one of its secrets is the password of."""
        return app_login(self.id, secret.id)


class HeldUser(Struct, frozen=True):
    """A login as the broker has it; its limits by their names."""

    name: str
    password_hash: str
    hashing_algorithm: str | None
    tags: tuple[str, ...]
    limits: Mapping[str, int]


class HeldRights(Struct, frozen=True):
    """Its permissions in our virtual host, and in the topics of one exchange; ``None``: there are none."""

    names: tuple[str, str, str] | None
    topics: tuple[str, str] | None


class HeldBinding(Struct, frozen=True):
    """A binding out of ``source``; ``properties_key`` is the broker's own name for it."""

    source: str
    destination: str
    destination_type: Literal["queue", "exchange"]
    routing_key: str
    properties_key: str


class Declared(Struct, frozen=True):
    """A queue or an exchange, and what it was declared with. ``exclusive``: it goes with its connection."""

    name: str
    arguments: Mapping[str, Any]
    exclusive: bool = False


class Held(Struct, frozen=True):
    """What the broker holds of logins."""

    users: Mapping[str, HeldUser]
    rights: Mapping[str, HeldRights]


class Ways(Struct, frozen=True):
    """What messages go by: ``bindings`` of the events' exchange, ``inward`` those that lead into the commands'."""

    bindings: tuple[HeldBinding, ...] = ()
    inward: tuple[HeldBinding, ...] = ()
    queues: tuple[Declared, ...] = ()
    exchanges: tuple[Declared, ...] = ()


NO_RIGHTS: Final = HeldRights(None, None)


class Call(Struct, frozen=True):
    """A call of the management API; each part of the path is to be quoted. ``reason``: what is told to those whose
    connections it ends."""

    method: Literal["PUT", "DELETE"]
    path: tuple[str, ...]
    body: Mapping[str, Any] | None = None
    reason: str = ""


Kind = Literal["made", "changed", "paused", "removed", "unbound", "cut", "dropped", "noted"]
"""``cut``: a way into the commands' exchange on which something else than a publisher sends. ``dropped``: a queue or an
exchange of an app that is revoked. ``noted``: the broker is as the rows say already, and only the row does not say so
yet."""


class Task(Struct, frozen=True, kw_only=True):
    """Calls in their order. When the last was answered, a secret's row notes of which version its login is now
    (``made``), or that the login is ``gone``."""

    kind: Kind
    about: str
    calls: tuple[Call, ...]
    secret_id: str | None = None
    made: int | None = None
    gone: bool = False
