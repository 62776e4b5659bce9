"""The same machine, with purchases besides: paid, used, taken back, owed, paid by others, given back."""

from __future__ import annotations

from typing import Any, Literal, cast

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.property.machine import USERS, Amount, LedgerMachine, Part
from tests.property.wire import Message, purchase_id

Fact = Literal["refund", "dispute"]


class PayingMachine(LedgerMachine):
    """Commands of payments among the others, one by one and as stories."""

    @rule(user=USERS, size=st.integers(1, 40), price=st.sampled_from([1, 3, 7, 100]), paid=st.booleans())
    def buy(self, user: str, size: int, price: int, paid: bool) -> None:
        """A purchase is begun, and as often as not paid at once."""
        name = purchase_id(len(self.plain.shop.sold) + 1)
        self.plain.shop.sell(user, name, size, price)
        self.ledger.sell(user, name, size, price, self.now)
        if paid:
            self.pay(-1, "its own")

    @rule(
        pick=st.integers(0, 5),
        how=st.sampled_from(["its own", "its own", "other amount", "other currency", "failed", "another's purchase"]),
    )
    @precondition(lambda self: bool(cast("PayingMachine", self).plain.shop.sold))
    def pay(self, pick: int, how: str) -> None:
        """Payment intents have the number of their purchase, and so have the keys; sometimes another pays again."""
        user, name, price = self.purchase(pick)
        paid: dict[str, Any] = {"amount": price, "currency": "eur", "paymentIntentId": f"pi_{name[-2:]}"}
        paid |= {"amount": price + 1} if how == "other amount" else {}
        paid |= {"currency": "usd"} if how == "other currency" else {}
        paid |= {"paymentIntentId": f"pi_{name[-2:]}_{len(self.sent)}"} if pick == 4 else {}
        fact: dict[str, Any] = {"failed": "declined"} if how == "failed" else {"paid": paid}
        if how == "another's purchase":
            name = purchase_id(99)
        key = f"stripe:failed:{name}" if how == "failed" else f"stripe:purchase:{paid['paymentIntentId']}"
        self.tell(user, "credits.purchase", name, key, fact)

    @rule(
        pick=st.integers(0, 3),
        kind=st.sampled_from(["refund", "dispute"]),
        number=st.integers(1, 3),
        rank=st.integers(0, 2),
        share=st.sampled_from([0, 1, 1, 2, 3]),
    )
    @precondition(lambda self: bool(cast("PayingMachine", self).plain.shop.sold))
    def hear(self, pick: int, kind: Fact, number: int, rank: int, share: int) -> None:
        """A fact of a refund or dispute, whatever was heard before; its amount is its number's, so repeats agree."""
        user, name, price = self.purchase(pick)
        state = ("pending", "succeeded", "failed")[rank] if kind == "refund" else ("open", "lost", "won")[rank]
        fact = {"id": f"{kind}_{name[-2:]}_{number}", "amount": max(price * share // 2, 1), "state": state}
        type_ = "credits.thaw" if rank == 2 else "credits.clawback"
        self.tell(user, type_, name, f"stripe:{kind}:{fact['id']}:{state}", {kind: fact})

    def purchase(self, pick: int) -> tuple[str, str, int]:
        """Whose, its id, its price; the newest is -1 as well as 0."""
        sold = list(self.plain.shop.sold.values())
        chosen = sold[-1 - max(pick, 0) % len(sold)]
        return chosen.user, chosen.name, chosen.price

    def tell(self, user: str, kind: str, purchase: str, key: str, fact: dict[str, Any]) -> None:
        """A command of the worker that Stripe tells."""
        body = {"type": kind, "userId": user, "idempotencyKey": key, "purchaseId": purchase} | fact
        self.deliver(Message(body, f"m{len(self.sent)}" if len(self.sent) % 2 else "", origin="system"))

    @rule(
        user=USERS,
        sizes=st.lists(st.integers(1, 40), min_size=1, max_size=2),
        amount=st.sampled_from(["all", "all", "all but one", "first lot"]),
        facts=st.lists(
            st.tuples(st.sampled_from(["refund", "dispute"]), st.integers(0, 2), st.integers(1, 3)), max_size=3
        ),
        part=st.sampled_from(Part.__args__),
    )
    def buy_use_and_hear(
        self, user: str, sizes: list[int], amount: Amount, facts: list[tuple[Fact, int, int]], part: Part
    ) -> None:
        """What was used is owed; other purchases pay it; usages come back; and then the money was ours after all."""
        for size in sizes:
            self.buy(user, size, 3, paid=True)
            self.use(user, amount, "chat")
            for number, (kind, rank, share) in enumerate(facts):
                self.hear(0, kind, number, rank, share)
        self.refund(user, -1, part, None)
        for number, (kind, _, share) in enumerate(facts):
            self.hear(len(sizes) - 1, kind, number, 2, share)
        self.refund(user, -1, "whole", None)
