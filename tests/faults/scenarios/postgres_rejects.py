"""S13: among many commands one that the database does not take, and nobody else knows why."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import defaultdict
from math import ceil, log2
from typing import Final

from tests.faults.oracle.journal import Outcome
from tests.faults.scenario import scenario
from tests.faults.stage import RATE, Stage
from tests.faults.tools.errors import ToolError
from tests.faults.tools.obstacles import rule
from tests.faults.tools.telling import until

_BATCH: Final = 200
_CULPRIT: Final = "culprit"
_RULE: Final = f"new.idempotency_key LIKE '%{_CULPRIT}%'"
_CHECK_VIOLATION: Final = "23514"
_ENOUGH: Final = 2 * ceil(log2(_BATCH)) + 1
_USERS_EACH: Final = 3
"""So many users of each partition share a batch: the culprit's own commands stand before and behind it."""
_TRANSACTIONS: Final = "mana_batch_database_seconds_count"
_WITHIN: Final = 60.0
_DEADLINE: Final = 60.0
_PARTITIONS: Final = """
SELECT DISTINCT account_id::text AS account, partition FROM credits.transactions
WHERE account_id = ANY($1::text[]::uuid[]) ORDER BY account, partition
"""


@scenario("S13", "of 200 commands in one batch one breaks a rule that only the database knows", recovers=5)
async def s13(stage: Stage) -> None:
    """It alone is kept and answered with ``internal``, wherever it stands; finding it takes few transactions."""
    await stage.workers.start(1)
    users = await _users_of_a_batch(stage)
    async with rule(stage.database, _RULE, _CHECK_VIOLATION):
        chosen = (stage.random.randrange(_BATCH) for _ in range(stage.size(fast=1, usual=20, nightly=200)))
        took = [await _batch(stage, users, number, place) for number, place in enumerate((0, _BATCH - 1, *chosen))]
        stage.figure(f"transactions for a batch of {_BATCH} with a culprit, at most", max(took))
        stage.must(max(took) <= _ENOUGH, f"a batch of {_BATCH} took {max(took)} transactions, {_ENOUGH} are enough")
        await stage.workers.start(1)
        async with stage.load():
            await _among_others(stage, stage.size(fast=3.0, usual=60.0, nightly=300.0))
            await stage.recovers("the last culprit", time.monotonic())
    kept = sum([await worker.meter("mana_commands_poisoned_total") for worker in stage.workers.all])
    stage.must(kept == len(stage.dead), f"{kept:.0f} commands were kept, {len(stage.dead)} were culprits")


async def _users_of_a_batch(stage: Stage) -> list[str]:
    """Whose commands a batch holds, in order: as many of each partition, and each user several times."""
    by_partition: defaultdict[int, list[str]] = defaultdict(list)
    for row in await stage.database.fetch(_PARTITIONS, await stage.users()):
        by_partition[row["partition"]].append(row["account"])
    partitions = stage.scenario.partitions
    if min(len(by_partition[partition]) for partition in range(partitions)) < _USERS_EACH:
        raise ToolError(f"a partition has fewer than {_USERS_EACH} of the run's users")
    return [by_partition[place % partitions][place // partitions % _USERS_EACH] for place in range(_BATCH)]


async def _batch(stage: Stage, users: list[str], number: int, place: int) -> int:
    """Has the commands pile up behind one that waits for a lock, so that they are one batch; its transactions."""
    (worker,) = stage.workers.all
    before = await worker.meters()
    async with asyncio.TaskGroup() as group, stage.database.locked("credits.balances"):
        plug = group.create_task(_use(stage, users[0], f"{number}:plug"))
        await _taken(stage, 1)
        sent = [group.create_task(_use(stage, user, f"{number}:{n}", n == place)) for n, user in enumerate(users)]
        await _taken(stage, 1 + _BATCH)
        waited = await worker.meters()
    after = await worker.meters()
    batches = after["mana_batch_commands_count"] - before["mana_batch_commands_count"]
    if batches != 2:
        raise ToolError(f"the commands came in {batches:.0f} batches, and not in one behind the first")
    others = [task.result() for n, task in enumerate(sent) if n != place]
    stage.must(plug.result().cls == "acknowledged", "the command before the batch was not carried out")
    stage.must(all(each.cls == "acknowledged" for each in others), "a neighbour of the culprit was not carried out")
    stage.must(sent[place].result().code == "internal", f"the culprit was told {sent[place].result()}")
    stage.injected(f"batches of {_BATCH} with a culprit")
    return int(after[_TRANSACTIONS] - waited[_TRANSACTIONS]) - 1


async def _taken(stage: Stage, number: int) -> None:
    async def look() -> bool:
        return sum(depth.unacked for depth in (await stage.broker.depths()).values()) == number

    await until(look, f"{number} commands are taken and not answered", _WITHIN)


async def _use(stage: Stage, user: str, name: str, culprit: bool = False) -> Outcome:
    key, message_id = f"{stage.run}:{_CULPRIT if culprit else 'use'}:{name}", str(uuid.uuid4())
    if culprit:
        stage.dead.add(message_id)
    return await stage.client.send("use", user, key, amount=1, message_id=message_id, deadline=_DEADLINE)


async def _among_others(stage: Stage, seconds: float) -> None:
    """As many culprits as there were before, among the commands of the ordinary load."""
    users, ends, number = await stage.users(), time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        await asyncio.sleep(_BATCH / RATE)
        outcome = await _use(stage, stage.random.choice(users), f"load:{number}", culprit=True)
        stage.must(outcome.code == "internal", f"a culprit was told {outcome}")
        number += 1
    stage.injected("culprits in the ordinary load", number)
