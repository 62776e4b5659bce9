"""As much of Stripe's events as the front must understand to hand them on: their ids."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

_ID: Final = "evt_[A-Za-z0-9_]{1,200}"
_TYPE: Final = "[!-~]{1,200}"

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["id", "type"],
    "properties": {
        "id": {"type": "string", "pattern": f"^{_ID}$"},
        "type": {"type": "string", "pattern": f"^{_TYPE}$"},
    },
}
"""For OpenAPI."""


class _Event(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(pattern=rf"^{_ID}\Z")]
    type: Annotated[str, msgspec.Meta(pattern=rf"^{_TYPE}\Z")]


_EVENTS: Final = msgspec.json.Decoder(_Event)


def id_of(body: bytes) -> str | None:
    """The event's id; ``None`` for what is no event of Stripe."""
    try:
        return _EVENTS.decode(body).id
    except (msgspec.DecodeError, RecursionError):
        return None
