"""An account in the plainest words: lots, what was written, what was answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any

MOST = 2**53 - 1


class No(Exception):  # noqa: N818 - a refusal is no error
    """A refusal: its code, and its details."""


class User:
    """One account. ``lots``: oldest first; ``out``: what each usage still has, by lot, in the order it was taken."""

    def __init__(self, opening: str, now: datetime) -> None:
        self.opening, self.day, self.frozen, self.earned, self.spent = opening, now.date(), False, 0, 0
        self.lots: list[dict[str, Any]] = []
        self.log: list[dict[str, Any]] = []
        self.moves: list[list[tuple[str, int]]] = []
        self.low: int | None = None
        self.warned: list[int | None] = []
        self.out: dict[int, list[list[Any]]] = {}
        self.answers: dict[str, tuple[object, dict[str, Any]]] = {}

    def set(self, command: dict[str, Any]) -> None:
        if command["type"] == "account.threshold":
            self.low = command["below"]
        else:
            self.frozen = command["type"] == "account.freeze"

    def sum(self, *, free: bool) -> int:
        return sum(lot["left"] for lot in self.lots if lot["free"] == free)

    def all(self) -> int:
        return self.sum(free=True) + self.sum(free=False)

    def balance(self) -> dict[str, int]:
        free, paid = self.sum(free=True), self.sum(free=False)
        return {"balance": paid, "freeCreditsRemaining": free, "totalEarned": self.earned, "totalSpent": self.spent}

    def room(self, amount: int) -> None:
        if self.all() + amount > MOST:
            raise No("invalid_request", ["amount"])

    def new_lot(
        self, kind: str, amount: int, expires: datetime | None, now: datetime, place: int = 1, own: str = "~"
    ) -> tuple[str, int]:
        """``own`` is the purchase whose lot it is: ids of purchases come before all that the ledger makes."""
        free = kind not in ("purchase", "adjustment")
        name = f"{len(self.log) + 1}.{place}"
        lot = {"name": name, "kind": kind, "free": free, "left": amount, "granted": amount, "expires": expires}
        self.lots.append(lot | {"age": (now, own)})
        self.lots.sort(key=lambda one: one["age"])
        return name, amount

    def burn(self, amount: int) -> list[list[Any]]:
        if amount > self.all():
            raise No("insufficient_credits", {"available": self.all(), "required": amount})
        taken: list[list[Any]] = []
        for free in (True, False):
            mine = [lot for lot in self.lots if lot["free"] == free and lot["left"]]
            ending = sorted((lot for lot in mine if lot["expires"]), key=lambda lot: lot["expires"])
            for lot in ending + [lot for lot in mine if not lot["expires"]]:
                part = min(lot["left"], amount)
                if part:
                    lot["left"] -= part
                    amount -= part
                    taken.append([lot, part])
        return taken

    def write(
        self, now: datetime, kind: str, amount: int, key: str, asked: object, moves: list[tuple[str, int]], **more: Any
    ) -> dict[str, Any]:
        after = self.all()
        row = {"type": kind, "amount": amount, "idempotencyKey": key, "sequence": len(self.log) + 1, "createdAt": now}
        row |= {"balanceBefore": after - amount, "balanceAfter": after, "origin": "system", "appId": None}
        row |= {"refersTo": None, "metadata": None} | more
        self.log.append(row)
        self.moves.append(moves)
        fell = self.low is not None and after - amount >= self.low > after
        self.warned.append(self.low if fell else None)
        return self.answer(key, asked, row)

    def answer(self, key: str, asked: object, row: dict[str, Any] | None) -> dict[str, Any]:
        reply = {"ok": True, "replayed": False, "transaction": row, "balance": self.balance()}
        self.answers[key] = (asked, reply)
        return reply
