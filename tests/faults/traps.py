"""Plays that a healthy worker comes through, and one with a fault (``tests.faults.mutants``) does not.

Each does what scenarios of the plan do, and no more of it than it takes. They are not in the table: what is played on
is a worker that is to fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from tests.faults.doomed import dead, hits
from tests.faults.lonely import queued
from tests.faults.oracle.client import until_known
from tests.faults.oracle.journal import Outcome
from tests.faults.oracle.population import fresh_users, prepare
from tests.faults.stage import Stage
from tests.faults.tools.proxy import Proxy
from tests.faults.tools.telling import until
from tests.faults.tools.workers import Worker

Trap = Callable[[Stage, str | None], Awaitable[None]]
"""Played with workers of this mutant, or with healthy ones. Raises ``AssertionError`` where no fault was injected."""

_BURST: Final = 200
_TWICE: Final = 30
"""Of the burst's last commands: a copy of one that is lost would hide that."""
_SMALL_BATCHES: Final = {"MANA_BATCH_MAX": "16"}
"""So that one is committed while more lies in the worker's hands, whose prefetch is 32 of each partition."""
_USERS: Final = 50
_MUCH: Final = 1_000_000
_BRIEFLY: Final = 5.0
"""Seconds that a client waits for what may be lost."""
_PATIENTLY: Final = 60.0
_ROWS: Final = "SELECT count(*) FROM credits.transactions WHERE idempotency_key = $1"


async def killed_before_commit(stage: Stage, mutant: str | None) -> None:
    """A batch is committed; the next one is written when the worker is killed. As S01 and S04 do.

    The client sends some commands twice, as S34 does.
    """
    users = await _opened(stage, _USERS, _MUCH)
    (worker,) = await stage.workers.start(mutant=mutant, crash="before_commit:2", environment=_SMALL_BATCHES)
    sending = await _burst(stage, worker, users)
    await dead(worker)
    assert hits(worker, "before_commit") == 1, "the worker ended otherwise"
    await asyncio.gather(*sending)


async def batch_rejected(stage: Stage, mutant: str | None) -> None:
    """A batch fails at its end, though nothing is wrong with any half of it. As S11 and S13 do."""
    users = await _opened(stage, _USERS, _MUCH)
    (worker,) = await stage.workers.start(mutant=mutant, crash="before_commit:1:raise", environment=_SMALL_BATCHES)
    sending = await _burst(stage, worker, users)

    async def rejected() -> bool:
        return hits(worker, "before_commit") == 1

    await until(rejected, "a batch is rejected", _PATIENTLY, worker.log)
    await asyncio.gather(*sending)


async def killed_behind_a_refusal(stage: Stage, mutant: str | None) -> None:
    """In one batch a use is refused, and credits are granted; the worker is killed when both are told, neither is
    acknowledged. As S01 and S03 do."""
    (user,) = await _opened(stage, 1, 1)
    (worker,) = await stage.workers.start(mutant=mutant, crash="after_reply:1")
    await worker.pause()
    sending = [_send(stage, "use", user, "use", _MUCH), _send(stage, "grant", user, "more", _MUCH)]
    await queued(stage.broker, len(sending))
    await worker.wake()
    await dead(worker)
    assert hits(worker, "after_reply") == 1, "the worker ended otherwise"
    use, grant = await asyncio.gather(*sending)
    assert (use.code, grant.cls) == ("insufficient_credits", "acknowledged"), f"told {use} and {grant}"
    await until_known(partial(stage.client.send, "balance", user), _PATIENTLY)  # behind what was delivered again


async def stopped_and_followed(stage: Stage, mutant: str | None) -> None:
    """An owner is stopped with a use in its hands; its follower refuses the use, and then grants credits; the owner
    goes on. As S22 does.

    The use has no ``message_id``, by which the owner could know that it was refused.
    """
    (user,) = await _opened(stage, 1, 1)
    forced = "patient_sessions" if mutant is None else f"patient_sessions,{mutant}"
    async with Proxy.before(stage.workers.amqp_url) as proxy:
        (owner,) = await stage.workers.start(
            mutant=forced, crash="before_begin:1:stop", amqp_url=proxy.url(stage.workers.amqp_url)
        )
        use = _send(stage, "use", user, "use", _MUCH, message_id="")
        await _stopped(owner)
        (follower,) = await stage.workers.start(mutant="every_partition")
        assert await proxy.cut()
        assert (await use).code == "insufficient_credits"
        assert (await _send(stage, "grant", user, "more", _MUCH)).cls == "acknowledged"
        await owner.wake()
        await _written_or_refused(stage, owner, f"{stage.run}:use")
        await owner.drain()
        await follower.drain()


async def answer_to_commit_lost(stage: Stage, mutant: str | None) -> None:
    """A batch is committed, and the connection cut before the worker hears of it. As S06, S08 and S19 do."""
    users = await _opened(stage, _USERS, _MUCH)
    async with Proxy.before(stage.workers.database_url) as proxy:
        (worker,) = await stage.workers.start(
            mutant=mutant, crash="before_commit:1:stop", database_url=proxy.url(stage.workers.database_url)
        )
        sending = [_send(stage, "use", user, f"use:{user}", 1) for user in users]
        await _stopped(worker)
        cut = proxy.limit(0, "down")
        await worker.wake()
        await asyncio.wait_for(cut.wait(), _PATIENTLY)
        await asyncio.gather(*sending)
        await worker.drain()


async def _opened(stage: Stage, number: int, amount: int) -> list[str]:
    """So many users with credits, by a healthy worker that is gone then."""
    (worker,) = await stage.workers.start()
    users = fresh_users(number)
    await prepare(stage.client, users, amount)
    await worker.drain()
    return users


async def _burst(stage: Stage, worker: Worker, users: list[str]) -> list[asyncio.Task[Outcome]]:
    """Uses, all of which are in the queues before the worker sees the first one; the last ones come twice."""
    await worker.pause()
    numbers = [*range(_BURST), *range(_BURST - _TWICE, _BURST)]
    sending = [_send(stage, "use", users[n % _USERS], f"burst:{n}", 1, within=_BRIEFLY) for n in numbers]
    await queued(stage.broker, len(sending))
    await worker.wake()
    return sending


def _send(
    stage: Stage,
    op: str,
    user: str,
    key: str,
    amount: int,
    *,
    within: float = _PATIENTLY,
    message_id: str | None = None,
) -> asyncio.Task[Outcome]:
    return asyncio.create_task(
        stage.client.send(op, user, f"{stage.run}:{key}", amount=amount, deadline=within, message_id=message_id)
    )


async def _stopped(worker: Worker) -> None:
    async def look() -> bool:
        return worker.paused

    await until(look, f"{worker.name} stops at its crash point", _PATIENTLY, worker.log)


async def _written_or_refused(stage: Stage, owner: Worker, key: str) -> None:
    async def look() -> bool:
        ((rows,),) = await stage.database.fetch(_ROWS, key)
        return rows > 0 or (await owner.meters()).get("mana_fence_refusals_total", 0) > 0

    await until(look, f"{owner.name} goes on with its batch", _PATIENTLY, owner.log)
