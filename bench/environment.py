"""The addresses of the instance that is put under load (`.mana/env`)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from bench.errors import BenchError


@dataclass(frozen=True)
class Addresses:
    """The administrator's login at the broker; the ledger's rows to read, where an address is given."""

    amqp: str
    database: str | None


def addresses(environment: Mapping[str, str] = os.environ) -> Addresses:
    """Reads them. Raises ``BenchError`` where the broker's is missing."""
    amqp = environment.get("MANA_AMQP_URL")
    if not amqp:
        raise BenchError("MANA_AMQP_URL is not set: start the service with ./mana up, then use ./mana replay.")
    return Addresses(amqp, environment.get("MANA_DATABASE_READONLY_URL") or None)
