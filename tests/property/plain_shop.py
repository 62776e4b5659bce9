"""Purchases in the plainest words: credits go from place to place one by one. It shares no code with the rules."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import Any

from tests.property.plain_user import No, User

HIGHER = ("pending", "open", "succeeded", "lost", "failed", "won")
"""Of one refund or dispute, what stands later here is known later, whatever was heard first."""


class Bought:
    """A purchase. ``at``: its credits that are not in the user's lots; what is owed or written off is below zero.

    ``number`` is its transaction's, ``rows`` are those that refer to it.
    """

    def __init__(self, user: str, name: str, size: int, price: int) -> None:
        self.user, self.name, self.credits, self.price = user, name, size, price
        self.payment, self.failed = "", False
        self.number: int | None = None
        self.facts: dict[str, dict[str, tuple[str, int]]] = {"refund": {}, "dispute": {}}
        self.at = {"stripe": 0, "held": 0, "debt": 0, "write_off": 0}
        self.lot: dict[str, Any] = {"left": 0}
        self.rows: list[dict[str, Any]] = []

    def cents(self, kind: str, state: str) -> int:
        return sum(cents for known, cents in self.facts[kind].values() if known == state)

    def disputed(self, *states: str) -> bool:
        return any(known in states for known, _ in self.facts["dispute"].values())

    def due(self) -> int:
        gone = self.cents("refund", "succeeded") + self.cents("dispute", "lost")
        return int(Fraction(min(gone, self.price), self.price) * self.credits) if self.payment else 0

    def status(self) -> str:
        if not self.payment:
            return "failed" if self.failed else "pending"
        if self.disputed("open", "lost"):
            return "disputed"
        return "refunded" if self.cents("refund", "succeeded") >= self.price else "completed"


class Moves:
    """What one transaction moves of a purchase, credit by credit; those of one way are told together."""

    def __init__(self, user: User, bought: Bought, now: datetime) -> None:
        self.user, self.bought, self.now = user, bought, now
        self.told: list[list[Any]] = []

    def move(self, source: str, goal: str, lot: dict[str, Any] | None = None) -> None:
        """One credit; ``lot`` is the purchase's own unless another pays."""
        bought, way = self.bought, f"{source} {goal}"
        lot = lot or bought.lot
        if source == "lot":
            lot["left"] -= 1
        elif goal == "lot":
            lot = self.fill(way)
        for place, step in ((source, -1), (goal, 1)):
            if place != "lot":
                bought.at[place] += step
        if not self.told or self.told[-1][:2] != [way, lot["name"]]:
            self.told.append([way, lot["name"], 0])
        self.told[-1][2] += 1

    def fill(self, way: str) -> dict[str, Any]:
        """Into the purchase's lot, and when that has all it was granted into one more."""
        lot = self.bought.lot
        if lot["left"] < lot["granted"]:
            lot["left"] += 1
            return lot
        place = len(self.told) + 1
        if self.told and self.told[-1][0] == way and self.told[-1][1] != lot["name"]:
            spilled = next(one for one in self.user.lots if one["name"] == self.told[-1][1])
            spilled["left"] += 1
            spilled["granted"] += 1
            return spilled
        name, _ = self.user.new_lot("purchase", 1, None, self.now, place)
        return next(one for one in self.user.lots if one["name"] == name)

    def follow_facts(self, policy: str) -> None:
        """Until as much is taken as is due, and all that is left is held, or nothing is."""
        at, lot, dispute, due = self.bought.at, self.bought.lot, self.bought.disputed("open"), self.bought.due()
        while at["stripe"] < due:
            self.move("held" if at["held"] else "lot" if lot["left"] else policy, "stripe")
        while at["stripe"] > due:
            owing = "debt" if at["debt"] else "write_off" if at["write_off"] else ""
            self.move("stripe", owing or ("held" if dispute else "lot"))
        while dispute and lot["left"]:
            self.move("lot", "held")
        while not dispute and at["held"]:
            self.move("held", "lot")

    def write(self, key: str, asked: object, more: dict[str, Any]) -> dict[str, Any]:
        user, bought = self.user, self.bought
        gained = user.all() - (user.log[-1]["balanceAfter"] if user.log else 0)
        moves = [(lot, amount) for _, lot, amount in self.told]
        more = more | {"refersTo": bought.number}
        answer = user.write(self.now, "clawback", gained, key, asked, moves, **more)
        bought.rows.append(answer["transaction"])
        return answer


class PlainShop:
    """All purchases, of all users."""

    def __init__(self) -> None:
        self.policy = "debt"
        self.sold: dict[tuple[str, str], Bought] = {}

    def sell(self, user: str, name: str, size: int, price: int) -> None:
        self.sold[user, name] = Bought(user, name, size, price)

    def debt(self, user: str) -> int:
        return -sum(bought.at["debt"] for bought in self.sold.values() if bought.user == user)

    def hear(self, command: dict[str, Any], now: datetime, user: User, asked: object, more: Any) -> dict[str, Any]:
        bought, key = self.sold.get((command["userId"], command["purchaseId"])), command["idempotencyKey"]
        if bought is None:
            raise No("invalid_request", ["purchaseId"])
        if command["type"] == "credits.purchase":
            return self.hear_of_payment(command, now, user, bought, asked, more)
        kind = "refund" if "refund" in command else "dispute"
        fact, known = command[kind], bought.facts[kind]
        before, told = known.get(fact["id"]), (fact["state"], fact["amount"])
        if before is None or (HIGHER.index(told[0]), told[1]) > (HIGHER.index(before[0]), before[1]):
            known[fact["id"]] = told
        moves = Moves(user, bought, now)
        moves.follow_facts(self.policy)
        return moves.write(key, asked, more)

    def hear_of_payment(
        self, command: dict[str, Any], now: datetime, user: User, bought: Bought, asked: object, more: Any
    ) -> dict[str, Any]:
        paid, key = command.get("paid"), command["idempotencyKey"]
        if paid is None:
            bought.failed = True
            return user.answer(key, asked, None)
        for name, wanted in (("amount", bought.price), ("currency", "eur")):
            if paid[name] != wanted:
                raise No("invalid_request", [f"paid.{name}"])
        if bought.payment not in ("", paid["paymentIntentId"]):
            raise No("invalid_request", ["paid.paymentIntentId"])
        if bought.payment:
            return user.answer(key, asked, None)
        user.room(bought.credits)
        bought.payment, bought.number = paid["paymentIntentId"], len(user.log) + 1
        for row in bought.rows:
            row["refersTo"] = bought.number
        user.earned += bought.credits
        lot, _ = user.new_lot("purchase", bought.credits, None, now, 1, bought.name)
        bought.lot = next(one for one in user.lots if one["name"] == lot)
        answer = user.write(now, "purchase", bought.credits, key, asked, [(lot, bought.credits)], **more)
        self.pay_debts(user, bought, now, more)
        moves = Moves(user, bought, now)
        moves.follow_facts(self.policy)
        if moves.told:
            moves.write(f"stripe:settled:{bought.name}", None, more)
        return answer

    def pay_debts(self, user: User, bought: Bought, now: datetime, more: Any) -> None:
        for (owner, name), owing in sorted(self.sold.items()):
            moves = Moves(user, owing, now)
            while owner == bought.user and owing.at["debt"] and bought.lot["left"]:
                moves.move("lot", "debt", bought.lot)
            if moves.told:
                moves.write(f"stripe:debt:{bought.name}:{name}", None, more)
