"""Orders and recipients as they come from the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from workers.mail.model import Order, Recipient

MAIL = UUID("01900000-0000-7000-8000-000000000001")
ADA = UUID("01900000-0000-7000-8000-00000000000a")
ORDERED_AT = datetime(2026, 11, 25, 23, 5, tzinfo=UTC)

NOBODY = Recipient(None, None, None, None, None, False, None, None, False)
USER = Recipient(ADA, "Ada@example.com", "Ada", "de", False, False, None, None, False)


def order(kind: str, user_id: UUID | None = None, email: str | None = None, **details: Any) -> Order:
    """An order's first try."""
    return Order(MAIL, kind, user_id, email, details, 1, ORDERED_AT, ORDERED_AT + timedelta(seconds=120))
