"""Plain data of apps, as it stands in the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from contracts.apps import Permission, app_login


@dataclass(frozen=True)
class KnownSecret:
    """A secret. ``ready``: the broker is as this says: it has its login as the app is now, or not any more.

    ``last_used_at`` is exact to five minutes, and says nothing of a connection to the broker that was shorter than the
    keeper's rounds are apart.
    """

    id: str
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    ready: bool


@dataclass(frozen=True)
class Declared:
    """What is chosen about an app. Limits that are ``None`` are the workers' settings'."""

    name: str
    permissions: tuple[Permission, ...]
    commands_per_second: int | None
    unanswered_max: int | None


@dataclass(frozen=True)
class KnownApp:
    """An app with all secrets that it ever had, the oldest first. ``broker_ready``: each of them is."""

    id: str
    declared: Declared
    created_at: datetime
    revoked_at: datetime | None
    secrets: tuple[KnownSecret, ...]
    broker_ready: bool

    @property
    def open_secrets(self) -> tuple[KnownSecret, ...]:
        """Those that let somebody in, or may still do: the login is to go."""
        return tuple(secret for secret in self.secrets if secret.revoked_at is None or not secret.ready)

    @property
    def last_used_at(self) -> datetime | None:
        """When any of them was."""
        return max((secret.last_used_at for secret in self.secrets if secret.last_used_at is not None), default=None)

    @property
    def live_secrets(self) -> tuple[KnownSecret, ...]:
        """Those that let somebody in."""
        return tuple(secret for secret in self.secrets if secret.revoked_at is None)


@dataclass(frozen=True)
class NewSecret:
    """A secret at the one moment when it is known; ``hash`` is what is kept."""

    id: str
    app_id: str
    text: str = field(repr=False)
    hash: bytes = field(repr=False)

    @property
    def login(self) -> str:
        """The broker's login that it is the password of."""
        return app_login(self.app_id, self.id)
