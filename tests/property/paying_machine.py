"""The same machine with stories of purchases: used, taken back, owed, paid by others, given back."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.property.machine import USERS, Amount, Fact, LedgerMachine, Part


class PayingMachine(LedgerMachine):
    """The same, and mostly about purchases."""

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
