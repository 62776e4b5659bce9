"""The process that counts uses, and histories that were not lived: rows of the ledger, and their events.

Rows and events are written by hand, so that days and hours are the test's to choose.
"""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

import aio_pika
import asyncpg

from ops.instance import Instance
from ops.place import CHECKOUT
from ops.programs import ProcessSettings, run_environment
from tests.integration.workers.running import PARTITIONS, Running, running, until

BEGAN: Final = datetime(2026, 3, 27, 22, 30, tzinfo=UTC)
_PARTITION: Final = 998
"""No worker's."""
_POSITIONS: Final = count(1)
_IMPATIENT: Final = """
import sys
from workers.usage.rebuilding import __main__ as rebuilding, streaming
streaming._SILENCE_SECONDS = 0.5
sys.exit(rebuilding.main(sys.argv[1:]))
"""
_COLUMNS: Final = "account_id::text, day, hour, app_id, model, uses, credits, refunds, refunded"

Row = tuple[Any, ...]


@dataclass
class Account:
    """An account that has transactions one after the other, 20 minutes apart."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    told: list[dict[str, Any]] = field(default_factory=list)

    def add(self, kind: str, amount: int, app: str | None = "chat", **more: Any) -> dict[str, Any]:
        """One transaction, as its event tells it."""
        sequence = len(self.told) + 1
        at = (BEGAN + timedelta(minutes=20) * sequence).isoformat().replace("+00:00", "Z")
        transaction = {
            "id": str(uuid.uuid4()),
            "userId": self.id,
            "type": kind,
            "status": "completed",
            "amount": amount,
            "balanceBefore": 1000 - min(amount, 0),
            "balanceAfter": 1000 + max(amount, 0),
            "appId": app,
            "origin": "app",
            "description": "x",
            "metadata": None,
            "idempotencyKey": f"k{sequence}",
            "refersTo": None,
            "sequence": sequence,
            "createdAt": at,
            "completedAt": at,
            **more,
        }
        self.told.append(transaction)
        return transaction

    def use(self, amount: int, app: str = "chat", model: object = None) -> dict[str, Any]:
        """A usage."""
        return self.add("usage", -amount, app, metadata=None if model is None else {"model": model})

    def refund(self, usage: dict[str, Any], amount: int) -> dict[str, Any]:
        """A usage given back, with metadata that are not the usage's."""
        return self.add("refund", amount, usage["appId"], refersTo=usage["id"], metadata={"model": "of the refund"})


def some_history() -> Account:
    """Refunds, models, apps and hours, across midnight."""
    account = Account()
    account.add("bonus", 150, None)
    small = account.use(3, "chat", "small")
    account.use(4, "chat", "small")
    plain = account.use(5, "chat")
    account.use(6, "notes", "large")
    account.refund(small, 1)
    account.add("adjustment", 9, None)
    account.refund(small, 2)
    account.refund(plain, 5)
    account.use(7, "chat", 7)
    account.use(8, "chat", "large")
    return account


def rows_of(account: Account) -> list[Row]:
    """What the statistics are to hold, counted here."""
    models = {one["id"]: (one["metadata"] or {}).get("model") for one in account.told if one["type"] == "usage"}
    found: dict[Row, list[int]] = {}
    for one in account.told:
        if one["type"] not in {"usage", "refund"}:
            continue
        at = datetime.fromisoformat(one["createdAt"])
        model = models[one["refersTo"] or one["id"]]
        key = (account.id, at.date(), at.hour, one["appId"], model if isinstance(model, str) else "")
        sums = found.setdefault(key, [0, 0, 0, 0])
        place = 0 if one["type"] == "usage" else 2
        sums[place] += 1
        sums[place + 1] += abs(one["amount"])
    return sorted((*key, *sums) for key, sums in found.items())


@dataclass
class Books:
    """The ledger's rows and the statistics, as their owner sees them, and the exchange of events."""

    owner: asyncpg.Connection
    exchange: aio_pika.abc.AbstractExchange
    written: set[str] = field(default_factory=set)

    async def write(self, *accounts: Account) -> None:
        """Makes the rows of accounts, or those that are new."""
        self.written |= {account.id for account in accounts}
        for account in accounts:
            known = await self.owner.fetchval(
                "SELECT coalesce(max(sequence), 0) FROM credits.transactions WHERE account_id = $1", account.id
            )
            for one in account.told[known:]:
                await self._add(one)
            await self.owner.execute(
                "INSERT INTO credits.balances (account_id, balance, free_credits_remaining, total_earned, total_spent,"
                " sequence, last_daily, opening_key, created_at) VALUES ($1, 0, 0, 0, 0, $2, now(), 'k', now())"
                " ON CONFLICT (account_id) DO UPDATE SET sequence = excluded.sequence",
                account.id,
                len(account.told),
            )

    async def _add(self, one: dict[str, Any]) -> None:
        await self.owner.execute(
            "INSERT INTO credits.transactions (partition, position, account_id, id, sequence, type, status, amount,"
            " balance_before, balance_after, app_id, origin, description, metadata, idempotency_key, refers_to,"
            " operation, balance, free_credits_remaining, total_earned, total_spent, created_at, completed_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, 'completed', $7, $8, $9, $10, 'app', 'x', $11, $12, $13, '[]', $9, 0, 0,"
            " 0, $14, $14)",
            *(_PARTITION, next(_POSITIONS), one["userId"], one["id"], one["sequence"], one["type"], one["amount"]),
            *(one["balanceBefore"], one["balanceBefore"] + one["amount"], one["appId"]),
            one["metadata"] and json.dumps(one["metadata"]),
            *(one["idempotencyKey"], one["refersTo"], datetime.fromisoformat(one["createdAt"])),
        )

    async def tell(self, transactions: Iterable[dict[str, Any]]) -> None:
        """Publishes their events, in this order."""
        for one in transactions:
            event = {
                "id": one["id"],
                "type": "credits.used",
                "subject": one["userId"],
                "time": one["createdAt"],
                "data": {"transaction": one, "balance": {}},
                "sequence": one["sequence"],
                "source": "/mana/credits",
            }
            await self.publish(json.dumps(event).encode(), one["id"])

    async def publish(self, body: bytes, message_id: str | None = None) -> None:
        """Any message to all subscribers."""
        await self.exchange.publish(aio_pika.Message(body, message_id=message_id), "credits.used.chat")

    async def rows(self, *accounts: Account) -> list[Row]:
        """The statistics of some accounts."""
        found = await self.owner.fetch(
            f"SELECT {_COLUMNS} FROM credits.usage_stats WHERE account_id = ANY($1::uuid[]) ORDER BY 1, 2, 3, 4, 5",
            [account.id for account in accounts],
        )
        return [tuple(row) for row in found]

    async def every_row(self) -> list[Row]:
        """All statistics."""
        found = await self.owner.fetch(f"SELECT {_COLUMNS} FROM credits.usage_stats ORDER BY 1, 2, 3, 4, 5")
        return [tuple(row) for row in found]

    async def counted(self, *accounts: Account, log: Path | None = None) -> None:
        """Returns once all their transactions are known to the statistics."""

        async def look() -> bool:
            known = await self.owner.fetchval(
                "SELECT count(*) FROM credits.usage_progress JOIN credits.balances USING (account_id)"
                " WHERE usage_progress.sequence = balances.sequence AND account_id = ANY($1::uuid[])",
                [account.id for account in accounts],
            )
            return known == len(accounts)

        await until(look, "accounts are counted", log)

    async def forget(self) -> None:
        """Removes what was written: no ledger would have such rows."""
        for table in ("transactions", "balances", "usage_stats", "usage_progress"):
            await self.owner.execute(
                f"DELETE FROM credits.{table} WHERE account_id = ANY($1::uuid[])",
                list(self.written),
            )


@asynccontextmanager
async def counting(servers: Instance, logs: Path) -> AsyncGenerator[Running]:
    """A ready process that counts, or waits for the place of the one that does."""
    environment = ProcessSettings(servers.addresses, partitions=PARTITIONS).usage()
    async with running(servers, logs, "workers.usage", environment) as process:
        await process.ready()
        yield process


def rebuild(servers: Instance, source: str, *, impatient: bool = False) -> subprocess.CompletedProcess[str]:
    """``./mana usage rebuild``; ``impatient`` where nothing hangs on how much of the stream it has seen."""
    program = ("-c", _IMPATIENT) if impatient else ("-m", "workers.usage.rebuilding")
    return subprocess.run(
        [sys.executable, *program, "--from", source],
        cwd=CHECKOUT,
        env=run_environment(ProcessSettings(servers.addresses, partitions=PARTITIONS).usage()),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def mixed(*accounts: Account) -> Sequence[dict[str, Any]]:
    """Their transactions, each account's in order, by turns."""
    most = max(len(account.told) for account in accounts)
    return [account.told[place] for place in range(most) for account in accounts if place < len(account.told)]
