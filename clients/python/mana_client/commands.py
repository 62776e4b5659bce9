"""Commands, made of arguments that were checked: what is wrong with one is told before anything is sent."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from pamqp.common import FieldTable

from mana_client import wire
from mana_client.errors import invalid_argument

AMOUNT_MAX: Final = 1_000_000_000
KEY_LENGTH_MAX: Final = 200
RESERVED_KEY_PREFIXES: Final = ("daily:", "stripe:", "expiry:", "mana:")

_UUID: Final = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_APP: Final = re.compile("[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Command:
    """A command, ready to be sent. ``key`` is ``None`` for what only reads."""

    type: str
    user_id: str
    key: str | None
    body: bytes
    headers: FieldTable | None


def command(type_: str, user_id: str, key: str | None, deadline: datetime | None, fields: dict[str, Any]) -> Command:
    """``fields`` are those of the body besides user and key; without a value they are left out."""
    body = {"userId": user_id, **{name: value for name, value in fields.items() if value is not None}}
    if key is not None:
        body["idempotencyKey"] = key
    headers: FieldTable | None = None if deadline is None else {"deadline": moment(deadline, "deadline")}
    return Command(type_, user_id, key, wire.encoded(body, "body"), headers)


def identifier(value: str | UUID, field: str) -> str:
    """A user's or a transaction's id, in the spelling in which the ledger knows it."""
    text = str(value)
    if _UUID.fullmatch(text) is None:
        raise invalid_argument(field, "must be a UUID in lower case")
    return text


def amount(value: int, *, signed: bool = False) -> int:
    """Whole credits; ``signed`` where they may be below zero, and must not be zero."""
    # A float or a bool is no number of credits, whatever the annotation says that was passed over.
    if type(value) is not int:
        raise invalid_argument("amount", "must be a whole number")
    if not (0 < (abs(value) if signed else value) <= AMOUNT_MAX):
        raise invalid_argument("amount", f"must be from 1 to {AMOUNT_MAX}" + (", or below zero" if signed else ""))
    return value


def app(value: str) -> str:
    """An app's id."""
    if _APP.fullmatch(value) is None:
        raise invalid_argument("appId", "must be 1 to 64 of A-Z a-z 0-9 _ -")
    return value


def key_of(value: str) -> str:
    """A caller's own idempotency key."""
    if value.startswith(RESERVED_KEY_PREFIXES):
        raise invalid_argument("idempotencyKey", "begins as only Mana's own keys may")
    return wire.text(value, "idempotencyKey", KEY_LENGTH_MAX)


def one_of(value: str, field: str, allowed: tuple[str, ...]) -> str:
    """A word of a few."""
    if value not in allowed:
        raise invalid_argument(field, f"must be one of {', '.join(allowed)}")
    return value


def moment(value: datetime, field: str) -> str:
    """A point in time, as the ledger reads it."""
    if value.tzinfo is None:
        raise invalid_argument(field, "must have a time zone")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def seconds(value: float, field: str) -> float:
    """A time to wait."""
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{field} must be a number of seconds above 0, and is {value!r}")
    return value
