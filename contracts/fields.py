"""The field types that commands are made of, with the bounds that the contract gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from msgspec import Meta, Raw

AMOUNT_MAX: Final = 1_000_000_000
BALANCE_MAX: Final = 2**53 - 1
"""Credits that one account may hold in all: what every JSON reader can hold exactly (RFC 8259, section 6)."""
METADATA_BYTES_MAX: Final = 8 * 1024
METADATA_DEPTH_MAX: Final = 100
"""Levels of nesting: deeper ones are beyond what common JSON readers accept, so our replies may not carry them."""
COMMAND_BYTES_MAX: Final = 64 * 1024
KEY_LENGTH_MAX: Final = 200
RESERVED_KEY_PREFIXES: Final = ("daily:", "stripe:", "expiry:", "mana:")

# Python's "$" also matches before a newline at the end, JSON Schema's does not: the look-ahead makes them agree.
_END: Final = r"$(?!\n)"
_UUID: Final = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}" + _END
_APP_ID: Final = "^[A-Za-z0-9_-]{1,64}" + _END

# What msgspec cannot check is added for the published schemas; `contracts.decoding` checks it.
_NO_NUL: Final = {"pattern": "^[^\\u0000]*$"}
_NOT_RESERVED: Final = {"not": {"pattern": f"^({'|'.join(RESERVED_KEY_PREFIXES)})"}}

Uuid = Annotated[str, Meta(pattern=_UUID, description="UUID in canonical lower case")]
Amount = Annotated[int, Meta(ge=1, le=AMOUNT_MAX, description="whole credits")]
SignedAmount = Annotated[
    int,
    Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX, description="whole credits, not 0", extra_json_schema={"not": {"const": 0}}),
]
AppId = Annotated[str, Meta(pattern=_APP_ID, description="an app's id, which is its login at the broker")]
PATTERNS_IN_WORDS: Final[tuple[tuple[Any, str], ...]] = (
    (Uuid, "must be a UUID in lower case"),
    (AppId, "must be 1 to 64 of A-Z a-z 0-9 _ -"),
)
"""What a text that does not fit is told, instead of the type's regular expression."""
Description = Annotated[str, Meta(min_length=1, max_length=500, extra_json_schema=_NO_NUL)]
Reason = Annotated[str, Meta(min_length=1, max_length=500, extra_json_schema=_NO_NUL)]
IdempotencyKey = Annotated[
    str, Meta(min_length=1, max_length=KEY_LENGTH_MAX, extra_json_schema={**_NO_NUL, **_NOT_RESERVED})
]
OPEN: Final = Meta(extra_json_schema={"x-open": True})
"""Of an enumeration that clients receive: it may get more values without notice. The contract's check knows it."""
Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339 time")]
Metadata = Annotated[
    Raw,
    Meta(
        description=f"any object of at most {METADATA_BYTES_MAX} bytes (compact, in UTF-8), at most"
        f" {METADATA_DEPTH_MAX} levels deep, or null",
        extra_json_schema={"type": ["object", "null"]},
    ),
]


def is_reserved_key(key: str) -> bool:
    """True for idempotency keys that only Mana's own commands may use."""
    return key.startswith(RESERVED_KEY_PREFIXES)
