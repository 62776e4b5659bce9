"""How a story must end, by the model of purchases in plain words: told in the order in which it happened, once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from tests.payments.stories import PAID, Step, Story
from tests.property.plain import PlainLedger

RefundPolicy = Literal["debt", "write_off"]
_FAILED = frozenset({"decline", "bounced", "expire"})
_DECIDED = {"win": "won", "drop": "won", "lose": "lost"}


@dataclass(frozen=True)
class End:
    """A user in the end. ``purchases`` by id: status, taken, held, debt, written off; ``paid``: ids of those paid."""

    balance: dict[str, int]
    lots: Counter[tuple[str, int, int]]
    purchases: dict[str, tuple[str, int, int, int, int]]
    paid: frozenset[str]


class Expecting:
    """One user, as the facts make them. The ledger's answers tell no more than the time of day."""

    def __init__(self, user: str, opened: datetime, policy: RefundPolicy) -> None:
        self.user = user
        self._now = opened
        self._plain = PlainLedger()
        self._plain.shop.policy = policy
        self._facts = 0
        self._amounts: dict[tuple[str, int], int] = {}
        self._ask("account.open")

    def sell(self, purchase: str, story: Story) -> None:
        """The purchase is begun."""
        self._plain.shop.sell(self.user, purchase, story.credits, story.price)

    def use(self, amount: int, at: datetime) -> None:
        """Credits are used."""
        self._now = at
        self._ask("credits.use", amount=amount, appId="chat")

    def happen(self, purchase: str, story: Story, steps: Iterable[Step]) -> None:
        """Each step is the fact that it makes, if it makes one."""
        for step in steps:
            self._happen(purchase, story, step)

    def end(self) -> End:
        """As it is now."""
        user = self._plain.users[self.user]
        sold = {name: bought for (_, name), bought in self._plain.shop.sold.items()}
        return End(
            user.balance(),
            Counter((lot["kind"], lot["granted"], lot["left"]) for lot in user.lots),
            {
                name: (one.status(), one.at["stripe"], one.at["held"], -one.at["debt"], -one.at["write_off"])
                for name, one in sold.items()
            },
            frozenset(name for name, one in sold.items() if one.payment),
        )

    def _happen(self, purchase: str, story: Story, step: Step) -> None:
        if step.act in _FAILED:
            self._ask("credits.purchase", purchaseId=purchase, failed="declined")
        elif step.act in PAID:
            paid = {"amount": story.price, "currency": "eur", "paymentIntentId": f"pi_{purchase}"}
            self._ask("credits.purchase", purchaseId=purchase, paid=paid)
        elif step.act in ("refund", "settle"):
            state = "failed" if step.word == "canceled" else step.word
            fact = {"id": f"re-{purchase}-{step.number}", "amount": step.amount, "state": state}
            self._ask("credits.thaw" if state == "failed" else "credits.clawback", purchaseId=purchase, refund=fact)
        elif step.act == "dispute" or step.word in _DECIDED:
            name = f"dp-{purchase}-{step.number}"
            amount = self._amounts.setdefault((purchase, step.number), step.amount)
            state = _DECIDED.get(step.word, "open")
            fact = {"id": name, "amount": amount, "state": state}
            self._ask("credits.thaw" if state == "won" else "credits.clawback", purchaseId=purchase, dispute=fact)

    def _ask(self, kind: str, **fields: Any) -> None:
        self._facts += 1
        command = {"type": kind, "userId": self.user, "idempotencyKey": f"fact-{self._facts}", **fields}
        answer = self._plain.ask(command, self._now)
        assert answer["ok"], answer
