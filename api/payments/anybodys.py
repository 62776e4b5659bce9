"""Purchases of anybody, as the database shows them to administrators."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec

from api.database import Connection
from api.payments.views import KnownDispute, KnownRefund, WholePurchase
from api.sql import Statements
from contracts.payments import DisputeState, RefundState

_SQL: Final = Statements(Path(__file__).parent / "sql")
_REFUNDS: Final = msgspec.json.Decoder(dict[str, tuple[int, RefundState]])
_DISPUTES: Final = msgspec.json.Decoder(dict[str, tuple[int, DisputeState]])


async def find_purchase(connection: Connection, purchase_id: UUID) -> WholePurchase | None:
    """One purchase; in a transaction of ``as_administrator``."""
    row = await connection.fetchrow(_SQL["get_purchase_of_anybody"], purchase_id)
    if row is None:
        return None
    columns: dict[str, Any] = dict(row)
    refunds, disputes = _REFUNDS.decode(columns.pop("refunds")), _DISPUTES.decode(columns.pop("disputes"))
    return WholePurchase(
        **columns,
        refunds=[KnownRefund(name, amount, state) for name, (amount, state) in refunds.items()],
        disputes=[KnownDispute(name, amount, state) for name, (amount, state) in disputes.items()],
    )
