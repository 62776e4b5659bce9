"""Apps and secrets, as an operator reads them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from api.apps.admin.model import KnownApp, KnownSecret, NewSecret
from api.text import printable
from contracts.apps import app_login

_HEAD: Final = ("ID", "NAME", "SECRETS", "LAST USED", "PERMISSIONS", "")


def table(apps: Sequence[KnownApp]) -> str:
    """A line for each app."""
    if not apps:
        return "There are no apps: ./mana apps create ID makes one.\n"
    rows = [
        (
            app.id,
            printable(app.declared.name, 40),
            str(len(app.live_secrets)),
            _used(app.last_used_at),
            " ".join(app.declared.permissions) or "none",
            "" if app.revoked_at is None else "revoked",
        )
        for app in apps
    ]
    return _aligned([_HEAD, *rows])


def whole(app: KnownApp) -> str:
    """All about one app but what nobody knows any more: its secrets."""
    declared = app.declared
    lines = [
        ("id", app.id),
        ("name", printable(declared.name)),
        ("permissions", " ".join(declared.permissions) or "none"),
        ("commands per second", _limit(declared.commands_per_second)),
        ("unanswered at most", _limit(declared.unanswered_max)),
        ("made", f"{app.created_at:%Y-%m-%d %H:%M:%S} UTC"),
        *([] if app.revoked_at is None else [("revoked", f"{app.revoked_at:%Y-%m-%d %H:%M:%S} UTC")]),
    ]
    secrets = [
        (
            secret.id,
            app_login(app.id, secret.id),
            f"{secret.created_at:%Y-%m-%d %H:%M:%S} UTC",
            _used(secret.last_used_at),
            _state(secret),
        )
        for secret in app.open_secrets
    ]
    listed = _aligned([("SECRET", "LOGIN", "MADE", "LAST USED", ""), *secrets]) if secrets else "It has no secrets.\n"
    return f"{_aligned(lines)}\n{listed}"


def handed_out(secret: NewSecret, amqp_url: str) -> str:
    """A secret with the address that it opens, at the broker where the administrator's address leads."""
    parts = urlsplit(amqp_url)
    where = parts.netloc.rpartition("@")[2]
    address = parts._replace(netloc=f"{secret.login}:{secret.text}@{where}").geturl()
    return f"secret {secret.id}, shown only now:\n  {secret.text}\nRabbitMQ, with it:\n  {address}\n"


def _state(secret: KnownSecret) -> str:
    if secret.revoked_at is not None:
        return "revoked, and its login is still to go"
    return "" if secret.ready else "its login is not made yet"


def _used(at: datetime | None) -> str:
    """To the minute, which is more than is known."""
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"


def _limit(value: int | None) -> str:
    return "as the workers' settings have it" if value is None else str(value)


def _aligned(rows: Iterable[Sequence[str]]) -> str:
    listed = [*rows]
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)]
    lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) for row in listed)
    return "".join(line.rstrip() + "\n" for line in lines)
