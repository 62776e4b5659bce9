"""What may happen to a purchase at Stripe: made up by chance, with all that has its time there.

A story has steps; what happens before its ``cut`` is told in the first wave of deliveries at the earliest, the rest in
the second. Where the user's credits are used between the waves, the cut is behind the payment and before all else, so
that it does not depend on the order of deliveries who owes what in the end.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

Act = Literal["decline", "pay", "debit", "cleared", "bounced", "expire", "refund", "settle", "dispute", "decide"]

PAID: Final = frozenset({"pay", "cleared"})
_PRICES: Final = (50, 70, 99, 100, 333, 500, 2400)
_CREDITS: Final = (1, 3, 7, 40, 100, 500, 2500)
_PAYMENTS: Final[tuple[tuple[Act, ...], ...]] = (
    ("pay",),
    ("pay",),
    ("pay",),
    ("decline", "pay"),
    ("decline", "decline", "pay"),
    ("debit", "cleared"),
)
_NO_PAYMENTS: Final[tuple[tuple[Act, ...], ...]] = (
    ("debit", "bounced"),
    ("expire",),
    ("decline", "expire"),
    ("decline",),
    ("debit",),
)
_INQUIRIES: Final = (
    "",
    "drop",
    "submit drop",
    "escalate",
    "escalate win",
    "submit escalate lose",
    "escalate submit lose",
)
_DISPUTES: Final = (
    "",
    "submit",
    "win",
    "submit win",
    "lose",
    "submit lose",
    "reinstate",
    "reinstate win",
    "reinstate lose",
    "lose reinstate",
)


@dataclass(frozen=True)
class Step:
    """``number``: which refund or dispute of the story; ``word``: how a refund begins or ends, or a dispute goes on."""

    act: Act
    number: int = 0
    amount: int = 0
    word: str = ""


@dataclass
class Story:
    """A purchase: its user by number, what it gives and costs, and what happens to it in turn."""

    user: int
    credits: int
    price: int
    steps: list[Step]
    cut: int
    known: bool
    """Whether our database knows the checkout session, and not only Stripe what purchase that is for."""

    @property
    def is_paid(self) -> bool:
        """Whether its money ever comes."""
        return any(step.act in PAID for step in self.steps)


@dataclass
class Customer:
    """A user's stories. ``used``: how many paid credits are used between the waves; below zero: all that there are.

    ``later`` is bought when all else is over, and pays what is owed then.
    """

    stories: list[Story]
    used: int | None = None
    later: Story | None = None
    every: list[Story] = field(init=False)

    def __post_init__(self) -> None:
        self.every = [*self.stories, *([self.later] if self.later else [])]


def customers(chance: random.Random, histories: int, *, used: bool = True) -> list[Customer]:
    """Users with so many stories in all."""
    made = list[Customer]()
    left = histories
    while left > 0:
        made.append(_customer(chance, len(made), left, used=used and chance.random() < 0.5))
        left -= len(made[-1].every)
    return made


def _customer(chance: random.Random, user: int, most: int, *, used: bool) -> Customer:
    if not used:
        number = min(chance.choice((1, 1, 2, 3)), most)
        return Customer([_story(chance, user, paid=chance.random() < 0.75) for _ in range(number)])
    number = 1 if most < 3 or chance.random() < 0.7 else 2
    stories = [_story(chance, user, paid=True) for _ in range(number)]
    for story in stories:
        story.cut = 1 + max(place for place, step in enumerate(story.steps) if step.act in PAID)
    amount = chance.randint(1, stories[0].credits) if number == 1 and chance.random() < 0.6 else -1
    later = _story(chance, user, paid=chance.random() < 0.8) if most > number else None
    return Customer(stories, amount, later)


def _story(chance: random.Random, user: int, *, paid: bool) -> Story:
    price, credits_ = chance.choice(_PRICES), chance.choice(_CREDITS)
    steps = [Step(act) for act in chance.choice(_PAYMENTS if paid else _NO_PAYMENTS)]
    if paid:
        steps += _afterwards(chance, price, debit=steps[0].act == "debit")
    return Story(user, credits_, price, steps, chance.randint(0, len(steps)), known=chance.random() < 0.5)


def _afterwards(chance: random.Random, price: int, *, debit: bool) -> Iterator[Step]:
    """Refunds and disputes. While there is an inquiry money may be given back, once there is a dispute no more."""
    number = chance.choice((0, 0, 0, 1, 1, 2))
    disputes = [(one, chance.random() < 0.3) for one in range(number)]
    asked_first = bool(disputes) and disputes[0][1] and chance.random() < 0.5
    if asked_first:
        yield _opened(chance, price, *disputes[0])
    late = list[Step]()
    yield from _refunds(chance, price, late, debit=debit)
    for one, inquiry in disputes:
        if one or not asked_first:
            yield _opened(chance, price, one, inquiry)
        for word in chance.choice(_INQUIRIES if inquiry else _DISPUTES).split():
            yield Step("decide", one, word=word)
    yield from late


def _opened(chance: random.Random, price: int, number: int, inquiry: bool) -> Step:
    amount = price if chance.random() < 0.6 else chance.randint(1, price)
    return Step("dispute", number, amount, "inquiry" if inquiry else "")


def _refunds(chance: random.Random, price: int, late: list[Step], *, debit: bool) -> Iterator[Step]:
    left = price
    for number in range(chance.choice((0, 0, 1, 1, 2, 3))):
        if not left:
            return
        amount = chance.choice((left, max(left // 2, 1), chance.randint(1, left)))
        pending = debit or chance.random() < 0.4
        yield Step("refund", number, amount, "pending" if pending else "succeeded")
        left -= amount
        ends = ("", "succeeded", "failed", "canceled", "succeeded failed") if pending else ("", "", "", "failed")
        settled = [Step("settle", number, amount, word) for word in chance.choice(ends).split()]
        if chance.random() < 0.3:
            late += settled
            continue
        yield from settled
        left += amount if settled and settled[-1].word != "succeeded" else 0
