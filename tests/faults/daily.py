"""The daily credits of one user, by the plainest model: one grant for each day of the database on which it was due."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Final

from tests.faults.oracle.books import Row

_PREFIX: Final = "daily:"


def breaches(rows: Iterable[Row], amount: int) -> Iterator[str]:
    """What is wrong with a user's rows, in their order; ``amount``: the credits of a day."""
    last: date | None = None
    for row in rows:
        today = datetime.fromtimestamp(row.created_at, UTC).date()
        if last is None:
            last = today  # the account's opening, which brings its own credits
        elif row.key.startswith(_PREFIX):
            named = date.fromisoformat(row.key.removeprefix(_PREFIX))
            if named != today:
                yield f"{row.key} was granted on {today}"
            if named <= last:
                yield f"{row.key} was granted when {last} had been"
            if row.amount != amount:
                yield f"{row.key} brought {row.amount}"
            last = max(last, named)
        elif row.type == "usage" and today > last:
            yield f"credits were used on {today} before that day's came"
