"""The ledger in the plainest words, written from the public contract. It shares no code with the rules that it judges.

Commands and answers are the wire's JSON as dicts, times are datetimes. Where the service makes ids, this counts: a
transaction is known by its sequence number, a lot by the number of the transaction that made it and its place there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.property.plain_shop import PlainShop
from tests.property.plain_user import MOST, No, User

SIGNUP, DAILY = 150, 5


class PlainLedger:
    """All users, one command at a time."""

    def __init__(self) -> None:
        self.shop = PlainShop()
        self.users: dict[str, User] = {}
        self.refused: dict[object, dict[str, Any]] = {}
        self.suspended: set[str] = set()

    def ask(
        self,
        command: dict[str, Any],
        now: datetime,
        *,
        deadline: datetime | None = None,
        message: str = "",
        redelivered: bool = False,
        login: str | None = None,
        origin: str = "app",
    ) -> dict[str, Any]:
        name, key, kind = command["userId"], command.get("idempotencyKey"), command["type"]
        asked = [command.get(part) for part in ("type", "amount", "appId", "transactionId", "source", "expiresAt")]
        asked += [command.get(part) for part in ("purchaseId", "paid", "refund", "dispute", "below")]
        user = self.users.get(name)
        first = user.answers.get(user.opening if kind == "account.open" else str(key)) if user else None
        # Without a message id the broker's flag only hints at a repeat; what was done under the key is surer.
        same = key and (message or (redelivered and not first))
        if same and (name, key, message) in self.refused:
            return self.refused[name, key, message]
        try:
            if first:
                return self.again(first, asked)
            more = {"origin": origin, "metadata": command.get("metadata")}
            return self.do(command, now, user, asked, login, more, late=deadline is not None and now > deadline)
        except No as no:
            answer = {"ok": False, "error": {"code": no.args[0], "details": no.args[1]}}
            if key:
                self.refused[name, key, message] = answer
            return answer

    def again(self, first: tuple[object, dict[str, Any]], asked: object) -> dict[str, Any]:
        if first[0] != asked:
            raise No("idempotency_conflict", {})
        return first[1] | {"replayed": True}

    def do(
        self,
        command: dict[str, Any],
        now: datetime,
        user: User | None,
        asked: object,
        login: str | None,
        more: Any,
        *,
        late: bool,
    ) -> dict[str, Any]:
        if late:
            raise No("deadline_exceeded", {})
        kind, key, amount = command["type"], command.get("idempotencyKey", ""), command.get("amount", 0)
        if kind == "account.open":
            return self.open(command, now, asked, more)
        if user is None:
            raise No("unknown_user", {})
        self.what_time_brings(user, now, daily=kind in ("credits.use", "credits.balance"))
        if kind in ("credits.balance", "credits.expire"):
            return {"ok": True, "balance": user.balance()}
        if kind in ("account.freeze", "account.unfreeze", "account.threshold"):
            user.set(command)
            return user.answer(key, asked, None)
        if kind == "credits.use":
            if user.frozen or command["userId"] in self.suspended:
                raise No("account_frozen", {})
            taken = user.burn(amount)
            user.spent += amount
            user.out[len(user.log) + 1] = taken
            moves = [(lot["name"], part) for lot, part in taken]
            return user.write(now, "usage", -amount, key, asked, moves, **more | {"appId": command["appId"]})
        if kind == "credits.adjust" and amount < 0:
            moves = [(lot["name"], part) for lot, part in user.burn(-amount)]
            return user.write(now, "adjustment", amount, key, asked, moves, **more)
        if kind in ("credits.purchase", "credits.clawback", "credits.thaw"):
            return self.shop.hear(command, now, user, asked, more)
        if kind == "credits.refund":
            return self.refund(command, now, user, asked, login, more)
        expires = command.get("expiresAt")
        if expires and expires <= now:
            raise No("invalid_request", ["expiresAt"])
        user.room(amount)
        user.earned += amount
        moves = [user.new_lot(command.get("source", "adjustment"), amount, expires, now)]
        return user.write(now, "bonus" if "source" in command else "adjustment", amount, key, asked, moves, **more)

    def open(self, command: dict[str, Any], now: datetime, asked: object, more: Any) -> dict[str, Any]:
        key = command["idempotencyKey"]
        user = self.users[command["userId"]] = User(key, now)
        if not command.get("signupBonus", True):
            return user.answer(key, asked, None)
        user.earned += SIGNUP
        return user.write(now, "bonus", SIGNUP, key, asked, [user.new_lot("signup", SIGNUP, None, now)], **more)

    def refund(
        self, command: dict[str, Any], now: datetime, user: User, asked: object, login: str | None, more: Any
    ) -> dict[str, Any]:
        number = command["transactionId"]
        if number not in user.out:
            raise No("invalid_request", ["transactionId"])
        usage, out = user.log[number - 1], user.out[number]
        if login and login != usage["appId"]:
            raise No("app_mismatch", {})
        if not out:
            raise No("invalid_request", ["transactionId"])
        left = sum(part for _, part in out)
        amount = back = command.get("amount") or left
        if amount > left:
            raise No("invalid_request", ["amount"])
        user.room(amount)
        user.spent -= amount
        moves: list[tuple[str, int]] = []
        while back:
            lot, part = out.pop()
            if part > back:
                out.append([lot, part - back])
                part = back
            back -= part
            if lot["expires"] and lot["expires"] <= now:
                ends = now + (lot["expires"] - usage["createdAt"])
                moves.append(user.new_lot(lot["kind"], part, ends, now, len(moves) + 1))
            else:
                fits = min(part, lot["granted"] - lot["left"])
                lot["left"] += fits
                moves += [(lot["name"], fits)] if fits else []
                if part > fits:
                    moves.append(user.new_lot(lot["kind"], part - fits, None, now, len(moves) + 1))
        more = more | {"appId": usage["appId"], "refersTo": number}
        return user.write(now, "refund", amount, command["idempotencyKey"], asked, moves, **more)

    def what_time_brings(self, user: User, now: datetime, *, daily: bool) -> None:
        over = [lot for lot in user.lots if lot["left"] and lot["expires"] and lot["expires"] <= now]
        for lot in sorted(over, key=lambda lot: lot["expires"]):
            left, lot["left"] = lot["left"], 0
            user.write(now, "expiry", -left, f"expiry:{lot['name']}", None, [(lot["name"], left)])
        if daily and now.date() > user.day:
            user.day = now.date()
            if user.all() + DAILY <= MOST:
                user.earned += DAILY
                lots = [user.new_lot("daily", DAILY, None, now)]
                user.write(now, "bonus", DAILY, f"daily:{now.date()}", None, lots)
