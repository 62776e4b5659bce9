"""Goal: what was charged is never said to be not done, whatever is beyond a limit, comes again, in whatever order.

All that is sent is one command under one key: as several messages, each of which may come any number of times.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.errors import Error
from contracts.replies import Done, Refused, Reply
from tests.property.memory import MemoryLedger
from tests.property.wire import Message, request, user_id
from workers.ledger.model import Request

NOW = datetime(2028, 3, 1, tzinfo=UTC)
USER = user_id(1)
OPEN = Message({"type": "account.open", "userId": USER, "idempotencyKey": "o", "signupBonus": True})
USE = {"type": "credits.use", "userId": USER, "idempotencyKey": "k", "amount": 3, "appId": "chat", "description": "x"}
EXCESS = Error("overloaded", "too many: nothing was done", {"retryAfterSeconds": 1})


@dataclass(frozen=True)
class Copy:
    """One delivery of the command; ``ends`` the batch that it is in."""

    message: str = "m1"
    excess: bool = False
    redelivered: bool = False
    ends: bool = True

    def request(self) -> Request:
        """As the intake hands it over."""
        asked = request(Message(USE, message=self.message, redelivered=self.redelivered))
        return msgspec.structs.replace(asked, excess=EXCESS) if self.excess else asked


def _answers(copies: list[Copy]) -> list[Reply]:
    ledger = MemoryLedger()
    ledger.apply([request(OPEN)], NOW)
    replies: list[Reply] = []
    batch: list[Request] = []
    for copy in copies:
        batch.append(copy.request())
        if copy.ends:
            replies += ledger.apply(batch, NOW)
            batch = []
    return replies + ledger.apply(batch, NOW)


COPIES = st.builds(
    Copy, message=st.sampled_from(["m1", "m2", ""]), excess=st.booleans(), redelivered=st.booleans(), ends=st.booleans()
)


@given(copies=st.lists(COPIES, min_size=1, max_size=12))
@example(copies=[Copy(), Copy(excess=True), Copy(), Copy(redelivered=True)])
@example(copies=[Copy(excess=True), Copy("m2"), Copy(), Copy(excess=True), Copy(redelivered=True)])
@example(copies=[Copy("", excess=True), Copy("", redelivered=True), Copy(""), Copy("", redelivered=True)])
def test_once_charged_always_the_charge_and_until_then_the_same_message_stays_refused(copies: list[Copy]) -> None:
    charge = None
    refused: set[str] = set()
    for copy, reply in zip(copies, _answers(copies), strict=True):
        if charge is not None:
            assert isinstance(reply, Done), copy
            assert (reply.transaction, reply.replayed) == (charge, True)
        elif copy.excess or (copy.message in refused and (copy.message or copy.redelivered)):
            assert reply == Refused(EXCESS)
            refused.add(copy.message)
        else:
            assert isinstance(reply, Done), copy
            assert not reply.replayed
            charge = reply.transaction
            assert charge is not None
            assert (charge.amount, charge.balance_after) == (-3, 147)
