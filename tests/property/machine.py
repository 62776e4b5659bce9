"""The rules and the plain telling of the contract get the same commands, and must agree after each.

The plain ledger decides each command at once; the rules get them in batches of a length that changes on the way. So
that they agree also shows that a batch comes to the same as its commands one by one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from hypothesis import strategies as st
from hypothesis import target
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.property.closing import Ledger, books_close
from tests.property.memory import MemoryLedger
from tests.property.plain import PlainLedger
from tests.property.plain_user import User
from tests.property.wire import NOBODYS_USAGE, Message, ask, history, transaction_id, user_id
from workers.ledger.purchases import RefundPolicy

START = datetime(2028, 2, 28, 23, 59, 58, tzinfo=UTC)
"""Two seconds before a leap day."""
MOST_AT_ONCE = 10**9
APPS = ("chat", "draw")
USERS = st.sampled_from([user_id(number) for number in (1, 1, 2, 2, 3)])

Amount = Literal["one", "first lot", "all but one", "all", "one more", "most"]
Part = Literal["whole", "one", "half", "all left", "one more"]
Again = Literal["new try", "same message", "flag only", "other amount", "other command", "late"]
Wait = Literal["instant", "second", "before midnight", "midnight", "after midnight", "next end", "past it", "days"]


class LedgerMachine(RuleBasedStateMachine):
    """Commands for three users, as they come."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = PlainLedger()
        self.ledger: Ledger = self.new_ledger()
        self.now = START
        self.sent: list[Message] = []
        self.refused: list[Message] = []
        self.waiting: list[tuple[Message, dict[str, Any]]] = []
        self.batch = 1

    def new_ledger(self) -> Ledger:
        """What is judged; another machine may put the real executor here."""
        return MemoryLedger()

    @initialize(
        batch=st.sampled_from([1, 3, 8]), bonus=st.booleans(), policy=st.sampled_from(["debt", "debt", "write_off"])
    )
    def first_accounts(self, batch: int, bonus: bool, policy: RefundPolicy) -> None:
        self.batch = batch
        self.ledger.set_policy(policy)
        self.plain.shop.policy = policy
        self.open(user_id(1), bonus=True)
        self.open(user_id(2), bonus)

    @rule(size=st.integers(1, 8))
    def gather(self, size: int) -> None:
        self.batch = size

    @rule(user=USERS, bonus=st.booleans())
    def open(self, user: str, bonus: bool) -> None:
        self.send(user, "account.open", signupBonus=bonus)

    @rule(user=USERS, amount=st.sampled_from(Amount.__args__), app=st.sampled_from(APPS))
    def use(self, user: str, amount: Amount, app: str) -> None:
        self.send(user, "credits.use", amount=self.amount(user, amount), appId=app, description="x", metadata={"a": 1})

    @rule(
        user=USERS,
        amount=st.integers(1, 40),
        source=st.sampled_from(["promotion", "bonus"]),
        life=st.sampled_from([None, -1, 0, 1, 1, 2, 60, 86_400, 86_400]),
    )
    def grant(self, user: str, amount: int, source: str, life: int | None) -> None:
        fields = {} if life is None else {"expiresAt": self.now + timedelta(seconds=life)}
        self.send(user, "credits.grant", fields, amount=amount, source=source, description="x")

    @rule(
        user=USERS, pick=st.integers(0, 30), part=st.sampled_from(Part.__args__), login=st.sampled_from([None, *APPS])
    )
    def refund(self, user: str, pick: int, part: Part, login: str | None) -> None:
        account = self.plain.users.get(user)
        usages = list(account.out) if account else []
        number = usages[pick % len(usages)] if usages and pick < 28 else pick - 27
        left = sum(amount for _, amount in account.out[number]) if account and number in account.out else 1
        amounts: dict[Part, int] = {"one": 1, "half": max(left // 2, 1), "all left": max(left, 1), "one more": left + 1}
        chosen = {"amount": amounts[part]} if part in amounts else {}
        self.send(user, "credits.refund", chosen, login=login, transactionId=number)

    @rule(
        user=USERS,
        life=st.sampled_from([2, 60, 86_400]),
        amounts=st.tuples(st.sampled_from(Amount.__args__), st.sampled_from(Amount.__args__)),
        waits=st.tuples(st.sampled_from(["instant", "second"]), st.sampled_from(Wait.__args__)),
        parts=st.lists(st.sampled_from(Part.__args__), max_size=3),
    )
    def use_what_ends_and_refund(
        self, user: str, life: int, amounts: tuple[Amount, Amount], waits: tuple[Wait, Wait], parts: list[Part]
    ) -> None:
        self.grant(user, 20, "promotion", life)
        self.let_time_pass(waits[0])
        self.use(user, amounts[0], "chat")
        self.let_time_pass(waits[1])
        for part in parts:
            self.refund(user, -1, part, None)
        self.use(user, amounts[1], "draw")

    @rule(user=USERS, amount=st.sampled_from(Amount.__args__), up=st.booleans())
    def adjust(self, user: str, amount: Amount, up: bool) -> None:
        change = min(self.amount(user, amount), 1000) if up else -self.amount(user, amount)
        self.send(user, "credits.adjust", amount=change, description="x", reason="y")

    @rule(user=USERS, freeze=st.booleans())
    def set_frozen(self, user: str, freeze: bool) -> None:
        self.send(user, "account.freeze" if freeze else "account.unfreeze", reason="y")

    @rule(user=USERS, near=st.sampled_from([-1, 0, 0, 1, 20, None]))
    def set_threshold(self, user: str, near: int | None) -> None:
        """Where the credits are now, or beside it."""
        account = self.plain.users.get(user)
        below = None if near is None else max((account.all() if account else 0) + near, 1)
        self.send(user, "account.threshold", below=below)

    @rule(user=USERS, suspended=st.booleans())
    def set_suspended(self, user: str, suspended: bool) -> None:
        """By the front, between two batches."""
        self.flush()
        self.ledger.suspend(user, suspended=suspended)
        if suspended:
            self.plain.suspended.add(user)
        else:
            self.plain.suspended.discard(user)

    @rule(user=USERS, kind=st.sampled_from(["credits.balance", "credits.expire"]))
    def read(self, user: str, kind: str) -> None:
        self.deliver(Message({"type": kind, "userId": user}))

    @rule(pick=st.integers(0, 10**6), how=st.sampled_from(Again.__args__))
    @precondition(lambda self: bool(cast("LedgerMachine", self).sent))
    def again(self, pick: int, how: Again) -> None:
        self.repeat(self.sent[-1 - pick % len(self.sent)], how)

    @rule(pick=st.integers(0, 3), hows=st.lists(st.sampled_from(Again.__args__), min_size=1, max_size=3))
    @precondition(lambda self: bool(cast("LedgerMachine", self).refused))
    def again_what_was_refused(self, pick: int, hows: list[Again]) -> None:
        """After a top-up, so that only memory can refuse it."""
        old = self.refused[-1 - pick % len(self.refused)]
        self.send(old.user, "credits.adjust", amount=1000, description="x", reason="y")
        for how in hows:
            self.repeat(old, how)

    def repeat(self, old: Message, how: Again) -> None:
        body, second = old.body, timedelta(seconds=1)
        if how == "other amount":
            body = body | ({"amount": body["amount"] % MOST_AT_ONCE + 1} if "amount" in body else {})
        if how == "other command":
            kept = {name: body[name] for name in ("userId", "idempotencyKey")}
            body = kept | {"type": "account.freeze", "reason": "y"}
        new = "" if old.message == "" and len(self.sent) % 2 else f"again-{len(self.sent)}"
        self.deliver(
            Message(
                body,
                message={"same message": old.message, "flag only": ""}.get(how, new),
                redelivered=how in ("same message", "flag only"),
                deadline=self.now - second if how == "late" else None,
                login=old.login,
            )
        )

    @rule(user=USERS, off=st.sampled_from([-1, 0, 1]), named=st.booleans())
    def with_deadline(self, user: str, off: int, named: bool) -> None:
        body = self.body(user, "credits.use", amount=1, appId="chat", description="x")
        deadline = self.now + timedelta(microseconds=off)
        self.deliver(Message(body, f"m{len(self.sent)}" if named else "", deadline=deadline, origin="user"))

    @rule(wait=st.sampled_from(Wait.__args__))
    def let_time_pass(self, wait: Wait) -> None:
        self.flush()
        second, midnight = (
            timedelta(seconds=1),
            datetime.combine(self.now, datetime.min.time(), UTC) + timedelta(days=1),
        )
        users = self.plain.users.values()
        ends = [lot["expires"] for user in users for lot in user.lots if lot["expires"] and lot["expires"] > self.now]
        moments: dict[Wait, datetime] = {
            "instant": self.now + timedelta(microseconds=1),
            "second": self.now + second,
            "before midnight": midnight - second,
            "midnight": midnight,
            "after midnight": midnight + second,
            "next end": min(ends, default=self.now),
            "past it": min(ends, default=self.now) + second,
            "days": self.now + timedelta(days=3),
        }
        self.now = max(self.now, moments[wait])

    def body(self, user: str, kind: str, **fields: Any) -> dict[str, Any]:
        return {"type": kind, "userId": user, "idempotencyKey": f"k{len(self.sent)}"} | fields

    def send(
        self, user: str, kind: str, more: dict[str, Any] | None = None, *, login: str | None = None, **fields: Any
    ) -> None:
        body = self.body(user, kind, **fields) | (more or {})
        self.deliver(Message(body, f"m{len(self.sent)}" if len(self.sent) % 2 else "", login=login))

    def amount(self, user: str, wanted: Amount) -> int:
        account = self.plain.users.get(user) or User("", self.now)
        first = next((lot["left"] for lot in account.lots if lot["left"]), 1)
        total = account.all()
        amounts: dict[Amount, int] = {"one": 1, "first lot": first, "all but one": total - 1, "all": total}
        return min(max(amounts.get(wanted, total + 1 if wanted == "one more" else MOST_AT_ONCE), 1), MOST_AT_ONCE)

    def deliver(self, message: Message) -> None:
        """The plain ledger decides now; the other one when the batch is full."""
        usage = message.body.get("transactionId")
        if usage is not None and transaction_id(self.ledger, message.user, usage) == NOBODYS_USAGE:
            self.flush()  # a client knows a usage only once it was answered
        expected = self.plain.ask(
            message.body,
            self.now,
            deadline=message.deadline,
            message=message.message,
            redelivered=message.redelivered,
            login=message.login,
            origin=message.origin,
        )
        self.waiting.append((message, expected))
        if "idempotencyKey" in message.body:
            self.sent.append(message)
            if not expected["ok"]:
                self.refused.append(message)
        if len(self.waiting) >= self.batch:
            self.flush()

    def flush(self) -> None:
        """Sends what has gathered as one batch, and compares all there is to see."""
        waiting, self.waiting = self.waiting, []
        if not waiting:
            return
        answers = ask(self.ledger, [message for message, _ in waiting], self.now)
        for (message, expected), answer in zip(waiting, answers, strict=True):
            assert answer == expected, message
        for user in {message.user for message, _ in waiting}:
            self.compare(user)

    def compare(self, user: str) -> None:
        """Every transaction, the lots it touched, what is left in each, and that the books close."""
        books_close(self.ledger, user)
        plain, account = self.plain.users.get(user), self.ledger.account(user)
        if plain is None or account is None:
            assert plain is account is None
            return
        assert history(self.ledger, user) == list(zip(plain.log, plain.moves, strict=True))
        lots = [(lot.kind, lot.free, lot.remaining, lot.expires_at) for lot in self.ledger.lots_of(user)]
        assert lots == [(lot["kind"], lot["free"], lot["left"], lot["expires"]) for lot in plain.lots]
        for bought in self.ledger.purchases_of(user):
            expected = self.plain.shop.sold[user, bought.id]
            figures = {"stripe": bought.taken, "held": bought.held, "debt": -bought.debt}
            assert figures | {"write_off": -bought.written_off} == expected.at
            assert (bought.status, bought.payment_intent_id or "") == (expected.status(), expected.payment)
        assert [entry.low_threshold for entry in self.ledger.entries_of(user)] == plain.warned
        assert account.low_threshold == plain.low
        assert account.frozen == plain.frozen
        figures = (account.balance, account.free_credits_remaining, account.total_earned, account.total_spent)
        assert figures == tuple(plain.balance().values())

    def teardown(self) -> None:
        self.flush()
        target(float(sum(len(user.log) for user in self.plain.users.values())), label="transactions")
