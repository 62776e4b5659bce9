"""The benchmarks come to their goals' figures on a real instance; how good those are is not a test's business."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from rich.console import Console

from bench import auth
from bench.auth_cases import Options as AuthOptions
from bench.client import ClientBenchmark
from bench.client import Options as ClientOptions
from bench.fairness import CASES, FairnessBenchmark
from bench.fairness import Options as FairnessOptions
from bench.ledger import LedgerBenchmark
from bench.ledger_options import GROUPS
from bench.ledger_options import Options as LedgerOptions
from bench.overload import measure as overload
from bench.overload_course import Options as OverloadOptions
from bench.results import Report
from bench.subscribers import Options as SubscribersOptions
from bench.subscribers import SubscribersBenchmark
from bench.webhooks import Options as WebhooksOptions
from bench.webhooks import WebhooksBenchmark
from ops.instance import Instance, private

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def servers() -> Generator[Instance]:
    """Servers alone: each benchmark starts the processes that it measures."""
    with private(workers=0, name="benchmarks", with_processes=False) as instance:
        yield instance


def reached(report: Report) -> dict[str, bool]:
    return {goal.name: goal.reached for goal in report.goals}


async def test_those_of_sign_in() -> None:
    options = AuthOptions(rounds=1, seconds=0.5, users=8, threads=1, logins=2, connections=8)
    with private(workers=1, name="bench-auth", environment={"PASSWORD_HASH_THREADS": "1"}) as instance:
        report = await auth.measure(instance, options, QUIET)
    rates = {row.name: row.per_second.median for row in report.rows}
    assert len(rates) == 14
    assert min(rates.values()) > 0
    assert set(reached(report)) >= {"sign-ins / Argon2id alone", "the same, balances asked for meanwhile"}


async def test_the_ledgers(servers: Instance) -> None:
    options = LedgerOptions(
        GROUPS, rounds=1, seconds=0.5, users=50, in_flight=64, backlog=40_000, echo_backlog=5_000, partitions=32
    )
    report = await LedgerBenchmark(servers, options, QUIET).run()
    assert [row.name for row in report.rows] == [
        "echo", "echo, our frames", "ledger", "ledger, skewed", "ledger, one user", "echo, one in flight",
        "ledger, one in flight", "ledger, half load", "echo, backlog", "ledger, backlog", "two workers, backlog",
    ]  # fmt: skip
    assert all(row.peak_mb is not None and row.peak_mb.median > 1 for row in report.rows if "echo" not in row.name)
    assert len(reached(report)) == 9


async def test_the_subscribers(servers: Instance) -> None:
    options = SubscribersOptions(rounds=1, seconds=1.0, rate=100.0, users=50, behind=5_000)
    report = await SubscribersBenchmark(servers, options, QUIET).run()
    followed = {name: well for name, well in reached(report).items() if "events" in name}
    assert len(followed) == 9
    assert all(followed.values()), report.goals


async def test_the_overload(servers: Instance) -> None:
    options = OverloadOptions(
        seconds=5.0, afterwards=5.0, users=50, in_flight=64, connections=2, queue_length=50, batch_max=8
    )
    report, curve = await overload(servers, options, QUIET)
    goals = reached(report)
    assert goals["refused, of all that arrived"]
    assert goals["answered, of all that was accepted"]
    assert (len(curve.over), len(curve.after)) == (1, 1)


async def test_that_of_fairness(servers: Instance) -> None:
    options = FairnessOptions(rounds=1, seconds=2.0, rate=50.0, allowed=100, over=1.5, users=4)
    report = await FairnessBenchmark(servers, options, QUIET).run()
    assert [row.name for row in report.rows] == list(CASES)
    assert len(reached(report)) == 5


async def test_that_of_the_client(servers: Instance) -> None:
    report = await ClientBenchmark(servers, ClientOptions(rounds=1, seconds=0.5, in_flight=8, users=50), QUIET).run()
    assert [row.name for row in report.rows] == [
        f"{kind}, {number} in flight" for number in (8, 1) for kind in ("aiormq alone", "mana-client", "aio-pika alone")
    ]
    assert len(reached(report)) == 2


async def test_that_of_webhooks(servers: Instance) -> None:
    report = await WebhooksBenchmark(
        servers, WebhooksOptions(1, seconds=2.0, per_second=50.0, connections=8), QUIET
    ).run()
    assert [row.name for row in report.rows] == [
        "POST /webhooks/stripe, open loop",
        "POST /webhooks/stripe, as many as go",
    ]
    assert reached(report)["answered 200, and not on the queue"]
    told = [name for name in report.conclusions if name.startswith("of the median, ")]
    assert told == [f"of the median, {step}" for step in ("signature", "confirm", "request")]
