"""Commands that wait while nobody works on them."""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from contracts.topology import COMMANDS_EXCHANGE
from tests.faults.oracle.client import in_flight
from tests.faults.stage import Stage

COMMAND_QUEUES: Final = rf"^{re.escape(COMMANDS_EXCHANGE)}\.[0-9]+$"
"""The pattern of a policy for all of them."""
POLICY: Final = "faults-backlog"
_ROOM: Final = {"max-length": 1_000_000}
_MOMENT: Final = 1.0
"""Seconds that a sender waits for an answer that nobody is there to give."""


async def queue_up(stage: Stage, number: int, *, at_once: int) -> int:
    """Ends all workers and sends so many uses; how many of them wait then. Who goes on removes ``POLICY``.

    Notes it where that is not nearly all of them.
    """
    users = await stage.users()
    await stage.broker.policy(POLICY, COMMAND_QUEUES, _ROOM)
    await stage.workers.stop()
    await in_flight(
        at_once,
        (
            partial(
                stage.client.send, "use", users[n % len(users)], f"{stage.run}:backlog:{n}", amount=1, deadline=_MOMENT
            )
            for n in range(number)
        ),
    )
    waiting = sum(depth.ready for depth in (await stage.broker.depths()).values())
    stage.must(waiting > 0.9 * number, f"only {waiting} of {number} commands waited")
    return waiting
