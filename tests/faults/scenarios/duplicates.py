"""S34: everything comes several times, on several connections, and again much later."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from tests.faults.oracle.client import DEADLINE, Client
from tests.faults.oracle.journal import Journal, Outcome
from tests.faults.republishing import BEFORE, republishing
from tests.faults.scenario import scenario
from tests.faults.stage import RATE, Stage

_CONNECTIONS: Final = 3
_OLD_RATE: Final = 100.0


@scenario("S34", "each command three times on three connections; old messages again, in any order", fast=True)
async def duplicates(stage: Stage) -> None:
    """One of all of them is done, and the others are answered as that one was."""
    await stage.workers.start(2)
    await stage.users()
    async with AsyncExitStack() as stack:
        again = await stack.enter_async_context(republishing(stage.amqp_url, _OLD_RATE, stage.random))
        clients = [
            await stack.enter_async_context(Client(stage.amqp_url, stage.journal, exchange=BEFORE))
            for _ in range(_CONNECTIONS)
        ]
        threefold = Threefold(clients)
        async with stage.load(RATE / _CONNECTIONS, client=threefold):
            await stage.pass_time(fast=4.0, usual=60.0, nightly=600.0)
            await stage.recovers("duplicates", time.monotonic())
    stage.injected("commands published three times", threefold.sent)
    stage.injected("old messages published again", again.published)
    stage.figure("of these three times as many, answered", threefold.answered)
    repeated = await _answered_again(stage)
    stage.must(repeated, "no old message was answered again")
    stage.figure("answers to old messages", repeated)


async def _answered_again(stage: Stage) -> int:
    """Answers that messages had besides their first; over REST what is looked up after a 202 is none of them."""
    told = await stage.told()
    over_amqp = (n for n, attempt in told.attempts.items() if attempt.transport != "rest")
    return sum(max(len(told.outcomes.get(n, ())) - 1, 0) for n in over_amqp)


class Threefold:
    """Sends each command on all of its connections at once: as one and the same message, or as three tries."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self.journal: Journal = clients[0].journal
        self.sent = 0
        self.answered = 0
        self._clients = clients

    async def send(
        self,
        op: str,
        user: str,
        key: str = "",
        *,
        amount: int | None = None,
        app: str = "chat",
        deadline: float = DEADLINE,
        body_extra: dict[str, Any] | None = None,
        message_id: str | None = None,
    ) -> Outcome:
        """What the first connection heard."""
        self.sent += 1
        if message_id is None and self.sent % 2:
            message_id = str(uuid.uuid4())
        outcomes = await asyncio.gather(
            *(
                client.send(
                    op,
                    user,
                    key,
                    amount=amount,
                    app=app,
                    deadline=deadline,
                    body_extra=body_extra,
                    message_id=message_id,
                )
                for client in self._clients
            )
        )
        self.answered += sum(outcome.cls in {"acknowledged", "refused"} for outcome in outcomes)
        return outcomes[0]
