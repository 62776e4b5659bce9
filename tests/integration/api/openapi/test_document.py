"""The OpenAPI document holds for whatever is sent: schemathesis goes over all of it, as nobody, user and administrator.

In brief: a request for each operation that succeeds (``deeds``), and its generated boundary values, the same each time.
In full: random requests and sequences of them besides.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ops.fakes.stripe.running import running
from ops.instance import Instance
from tests.integration.api.openapi.deeds import DEEDS
from tests.integration.api.openapi.running import Run, Who, run
from tests.integration.api.payments.shop import KEY
from tests.integration.api.process import Process, another_front, keeper
from tests.integration.api.stripe_events import SECRET

IN_BRIEF = ("--phases", "examples,coverage", "--generation-deterministic")
IN_FULL = ("--generation-database", "none", "--max-time", "150")
ADMINISTRATION = "/api/v1/admin/"
_PUT_BACK = """
INSERT INTO credits.packages (id, name, description, credits, price_euro_cents, stripe_price_id, sort_order, active)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, description = excluded.description, credits = excluded.credits,
    price_euro_cents = excluded.price_euro_cents, stripe_price_id = excluded.stripe_price_id,
    sort_order = excluded.sort_order, active = excluded.active
"""


@pytest.fixture(scope="module")
async def packages_kept(servers: Instance) -> AsyncGenerator[None]:
    """An administrator's random requests change packages, which other tests buy: they are put back afterwards."""
    owner = await asyncpg.connect(servers.addresses.database_as("mana_owner"))
    try:
        kept = [tuple(row) for row in await owner.fetch("SELECT * FROM credits.packages")]
        prices = [tuple(row) for row in await owner.fetch("SELECT * FROM credits.package_prices")]
        yield
        async with owner.transaction():
            await owner.execute("DELETE FROM credits.package_prices")
            await owner.execute("UPDATE credits.packages SET active = false")
            await owner.executemany(_PUT_BACK, kept)
            await owner.copy_records_to_table("package_prices", schema_name="credits", records=prices)
    finally:
        await owner.close()


@pytest.fixture(scope="module")
async def tested(
    servers: Instance, logs: Path, running_worker: Process, packages_kept: None
) -> AsyncGenerator[tuple[Process, dict[str, Any]]]:
    """A front of its own, whose log tells of these runs alone, and its document; it sells at a stand-in for Stripe."""
    assert (running_worker.child.returncode, packages_kept) == (None, None)
    async with running(logs / "stripe-of-document.log") as stripe, keeper(servers, logs):
        settings = {"STRIPE_SECRET_KEY": KEY, "STRIPE_API_URL": stripe.url, "STRIPE_WEBHOOK_SECRET": SECRET}
        async with another_front(servers, logs, **settings) as (process, http):
            yield process, (await http.get("/openapi.json")).json()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("who", ["nobody", "user", "administrator"])
async def test_the_document_holds(
    tested: tuple[Process, dict[str, Any]], servers: Instance, tmp_path: Path, who: Who
) -> None:
    """[67]: no 5xx, nothing undocumented, and no error tells of our inside or of a secret that was sent.

    To operations of others than administration an administrator is a user, and in brief is not tried with them again;
    nobody is tried with what is open to nobody, since the rest is 401 whatever else is sent.
    """
    process, document = tested
    paths = {
        "nobody": "|".join(sorted({re.escape(name.split()[1]) + "$" for name in _open_to("nobody", document)})),
        "user": ".",
        "administrator": f"^{ADMINISTRATION}",
    }
    only = ("--include-path-regex", paths[who])
    _judge(
        await run(process.url, servers, tmp_path, who, *IN_BRIEF, *only),
        process,
        _open_to(who, document, who == "administrator"),
    )


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("who", ["nobody", "user", "administrator"])
async def test_the_document_holds_for_anything(
    tested: tuple[Process, dict[str, Any]], servers: Instance, tmp_path: Path, who: Who
) -> None:
    """[67]: the same for what is drawn at random; the seed stands in what is printed of a failure."""
    process, document = tested
    _judge(await run(process.url, servers, tmp_path, who, *IN_FULL), process, _open_to(who, document))


async def test_every_operation_has_something_to_succeed_with(tested: tuple[Process, dict[str, Any]]) -> None:
    assert _operations(tested[1]).keys() == DEEDS.keys()


def _judge(done: Run, process: Process, must_succeed: set[str]) -> None:
    assert done.passed, done.output
    answered = {
        operation: statuses
        for operation, statuses in done.statuses.items()
        if any(200 <= status < 300 for status in statuses)
    }
    refused = {operation: done.statuses.get(operation) for operation in must_succeed - answered.keys()}
    assert refused == {}, "these never succeeded, so that little of them was seen"
    assert "a request failed" not in process.output


def _open_to(who: Who, document: dict[str, Any], only_administration: bool = False) -> set[str]:
    """The operations that are for such a client."""
    every = _operations(document)
    match who:
        case "nobody":
            return {name for name, operation in every.items() if "security" not in operation}
        case "user":
            return {name for name in every if ADMINISTRATION not in name}
        case "administrator":
            return {name for name in every if ADMINISTRATION in name or not only_administration}


def _operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By schemathesis's name for them."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
