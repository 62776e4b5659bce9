"""What was written at a moment is found, with what became of it; an empty transaction writes nothing."""

from __future__ import annotations

import time

from ops.servers.postgres import ADMINISTRATOR
from tests.faults.tools.postgres import Database
from tests.faults.tools.telling import until
from tests.faults.tools.transactions import Transactions, fates, watched


async def test_transactions_under_way_at_a_moment_and_their_fates(database: Database) -> None:
    async with watched(database, ADMINISTRATOR) as seen, database.session() as done, database.session() as undone:
        await done.execute("BEGIN; CREATE TEMPORARY TABLE written ()")
        await undone.execute("BEGIN; CREATE TEMPORARY TABLE unwritten ()")
        early = time.time()
        await until(lambda: _seen(seen, 2, early), "both are seen", 10.0)
        moment = time.time()
        await until(lambda: _seen(seen, 2, moment), "both are seen again", 10.0)
        await done.execute("COMMIT")
        await undone.execute("ROLLBACK")
    across = seen.across([moment])
    assert len(across) == 2
    assert not seen.across([time.time()])
    assert sorted((await fates(database, across)).values()) == ["aborted", "committed"]


async def _seen(transactions: Transactions, number: int, since: float) -> bool:
    return sum(last > since for _, last in transactions.seen.values()) == number
