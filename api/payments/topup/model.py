"""Plain data of automatic top-up."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class Wish(Struct, frozen=True):
    """Below so many credits the package is to be bought, at most so often in a month of UTC."""

    below: int
    package_id: str
    max_per_month: int


class Topup(Struct, frozen=True, rename="camel"):
    """What a user has set; ``null`` where nothing ever was. `disabledReason` is the code of the decline that switched
    it off, or `refund` or `dispute`."""

    enabled: bool = False
    below: int | None = None
    package_id: str | None = None
    max_per_month: int | None = None
    disabled_reason: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
