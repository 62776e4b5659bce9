"""Every hot statement finds its rows by an index: on empty tables, on grown ones, and before anybody has counted those.

The plans are those of a worker's session: one for all arguments, by its settings and its role.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

import pytest

from tests.integration.ledger.plans import Plan, analyse, grow, plan
from tests.integration.ledger.server import PARTITIONS, Server
from workers.ledger.store import statements
from workers.ledger.store.session import Session

ACCOUNTS: Final = 20_000

SEARCHED: Final[dict[str, dict[str, str]]] = {
    "lock_partitions": {"partitions_pkey": "partition"},
    "lock_balances": {"balances_pkey": "account_id"},
    "read_state": {
        "transactions_id": "id account_id",
        "postings_pkey": "partition position account_id",
        "lots_open": "account_id",
        "lots_pkey": "account_id id",
        "transactions_one_per_key": "account_id idempotency_key",
        "keys_pkey": "account_id idempotency_key",
        "refusals_pkey": "account_id idempotency_key identity",
        "transactions_refunds": "account_id refers_to",
        "suspensions_pkey": "account_id",
    },
    "write_outcome": {
        "lots_pkey": "account_id id",
        "balances_pkey": "account_id",
        "partitions_pkey": "partition",
    },
    "write_answers": {},
    "read_purchases": {
        "purchases_pkey": "account_id id",
        "purchases_in_debt": "account_id",
        "lots_pkey": "account_id id",
    },
    "write_purchases": {"purchases_pkey": "account_id id"},
    "write_marks": {"partitions_pkey": "partition"},
    "read_journal": {"transactions_pkey": "partition position"},
    "read_expired": {"lots_expiring": "expires_at"},
    "prune_refusals": {
        "refusals_age": "created_at",
        "refusals_overloaded": "created_at",
        "refusals_pkey": "account_id idempotency_key identity",
    },
}
"""For each hot statement: the indexes that it searches, and by which of their columns."""

IN_ORDER: Final = ("read_journal", "prune_refusals")
"""Those that take the first rows of many: by the order of the index, since a sort would read them all."""

AGES: Final = ("empty", "grown unseen", "analysed")
"""Of tables without rows; of grown ones with the statistics of empty ones; with their own. Among indexes of an empty
table the planner has no reason to prefer one, so of those plans less is asked: sessions make new ones soon."""

Plans = dict[str, dict[str, Plan]]
AS_GOOD = {"purchases_by_id": ("purchases_pkey", "id")}
"""What may be searched instead: an id is of one purchase, and finds one row as well."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(100_000, id="100,000 transactions"),
        pytest.param(1_000_000, id="1,000,000 transactions", marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
    ],
)
async def plans(server: Server, request: pytest.FixtureRequest) -> AsyncGenerator[Plans]:
    """The plans by age."""
    async with server.database() as database:
        session = await Session.open(
            database.url("mana_worker"), application_name="test", settings={"idle_session_timeout": "0"}
        )
        found = {"empty": await _all(session)}
        await grow(database.admin, partitions=PARTITIONS, accounts=ACCOUNTS, transactions=request.param)
        found["grown unseen"] = await _all(session)
        await analyse(database.admin)
        found["analysed"] = await _all(session)
        await session.close()
        yield found


async def _all(session: Session) -> dict[str, Plan]:
    return {name: await plan(session, name) for name in SEARCHED}


@pytest.mark.parametrize("age", ["grown unseen", "analysed"])
@pytest.mark.parametrize("name", SEARCHED)
def test_rows_are_found_by_their_own_index(plans: Plans, name: str, age: str) -> None:
    found = plans[age][name]
    assert {AS_GOOD.get(index, (index,))[0] for index, _ in found.searches} == set(SEARCHED[name]), found.text
    for index, condition in found.searches:
        searched = set(re.findall(r"\w+", condition))
        _, columns = AS_GOOD.get(index, (index, SEARCHED[name].get(index, "")))
        assert searched >= set(columns.split()), found.text


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("name", SEARCHED)
def test_no_table_is_read_or_sorted_whole(plans: Plans, name: str, age: str) -> None:
    found = plans[age][name]
    assert all(condition for _, condition in found.searches), found.text
    assert not {"Seq Scan", "Hash Join", "Merge Join"} & set(found.steps), found.text
    if name in IN_ORDER:
        assert "Sort" not in found.steps, found.text


def test_every_file_is_a_statement_that_is_used() -> None:
    store = Path(statements.__file__).parent
    code = "".join(path.read_text() for path in store.glob("*.py"))
    assert {path.stem for path in (store / "sql").glob("*.sql")} == set(re.findall(r'statement\("(\w+)"\)', code))
