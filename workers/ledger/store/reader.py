"""A connection for reading only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from workers.ledger.store.reopening import Reopening

_READ_ONLY: Final[Mapping[str, str]] = {"default_transaction_read_only": "on"}


class Reader(Reopening):
    """Reads what is committed; the server refuses it everything else."""

    def __init__(self, url: str, *, application_name: str) -> None:
        super().__init__(url, application_name=application_name, settings=_READ_ONLY)
