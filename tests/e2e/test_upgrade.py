"""`git pull && ./mana up` on a running place, under load: no request fails, no command stays unanswered."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path

import asyncpg
import httpx
import pytest

from ops.kernel import ProcessId
from tests.e2e.spending import Spent, spending
from tests.e2e.versions import TITLE, Clone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SERVERS = {"postgres", "pgbouncer", "epmd", "rabbitmq", "redis"}
_SHOWN = 'title="Mana"'
_MAIN = Path("api", "__main__.py")
_AT_START = "def main() -> int:\n"


@pytest.fixture
def clone(tmp_path: Path) -> Generator[Clone]:
    made = Clone.of(tmp_path)
    try:
        made.must("up", "--detach", "--workers", "2", "--partitions", "8", "--pgbouncer")
        yield made
    finally:
        made.must("down", "--purge")


async def test_versions_change_under_load(clone: Clone) -> None:
    env = clone.env()
    async with spending(env["MANA_API_URL"], env["MANA_AMQP_URL"]) as spent:
        await _nothing_changed(clone)
        await _goes_to_the_next_version(clone, spent)
        await _passwords_change_as_ever(clone, spent)
        await _it_goes_back_and_forth(clone, spent)
        await _a_broken_one_is_refused(clone, spent)
        await _one_that_takes_away_is_refused(clone)
        await _one_that_takes_away_when_all_are_new_comes_last(clone, spent)
        await _one_whose_front_does_not_come_up_stops_there(clone, spent)
        await _who_is_interrupted_does_not_stop_it(clone, spent)
    assert "New passwords" in clone.must("secrets", "rotate", "rabbitmq")
    clone.must("verify")
    await spent.agrees_with(clone.env()["MANA_DATABASE_READONLY_URL"])
    await _down_in_the_midst_of_it_is_in_order(clone)


async def _nothing_changed(clone: Clone) -> None:
    before = _pids(clone)
    assert "nothing was changed" in await _must(clone)
    assert _pids(clone) == before


async def _goes_to_the_next_version(clone: Clone, spent: Spent) -> None:
    supervisor, before = clone.supervisor(), _pids(clone)
    number = clone.add_migration("expand", "CREATE TABLE credits.of_the_test (id bigint PRIMARY KEY);")
    clone.change(TITLE, _SHOWN, 'title="The next"')
    commit = clone.commit("a table, and another title")
    spent.forget()
    said = await _must(clone)
    assert f"it runs version {commit} (" in said
    await spent.goes_on()
    print("longest answers, s:", spent.forget())
    assert await _shown(clone) == "The next"
    assert clone.supervisor() == supervisor
    after = _pids(clone)
    assert set(after) == set(before)
    assert {name for name, pid in after.items() if pid == before[name]} == SERVERS, "all others are new"
    assert {(entry["state"], entry["restarts"]) for entry in clone.processes().values()} == {("ready", 0)}
    assert await _schema(clone) == number
    assert "nothing was changed" in await _must(clone)
    assert _pids(clone) == after


async def _passwords_change_as_ever(clone: Clone, spent: Spent) -> None:
    """What was taken over is told of them, what was started anew has them."""
    for whose in ("postgres", "redis"):  # the load itself is the broker's administrator, whom a change puts out
        assert "New passwords" in await asyncio.to_thread(clone.must, "secrets", "rotate", whose)
        await spent.goes_on()


async def _it_goes_back_and_forth(clone: Clone, spent: Spent) -> None:
    """The version of before finds a schema that has gone on, and lives with it."""
    schema = await _schema(clone)
    for version, title in (("HEAD~1", "Mana"), ("HEAD@{1}", "The next")):
        clone.git("checkout", "-q", version)
        await _must(clone)
        assert await _shown(clone) == title
        assert await _schema(clone) == schema
        await spent.goes_on()


async def _a_broken_one_is_refused(clone: Clone, spent: Spent) -> None:
    before = _pids(clone)
    (clone.checkout / "api" / "edge.py").write_text("def (:\n")
    complaint = await _refused(clone)
    assert f"{clone.checkout}/api/edge.py, line 1" in complaint
    assert _pids(clone) == before
    await spent.goes_on()
    clone.git("checkout", "-q", ".")


async def _one_that_takes_away_is_refused(clone: Clone) -> None:
    before, schema = _pids(clone), await _schema(clone)
    clone.add_migration("contract", "DROP TABLE credits.of_the_test;")
    assert "./mana down, then ./mana up" in await _refused(clone)
    assert (_pids(clone), await _schema(clone)) == (before, schema)
    clone.git("checkout", "-q", ".")
    clone.git("clean", "-q", "-f", "migrations")


async def _one_that_takes_away_when_all_are_new_comes_last(clone: Clone, spent: Spent) -> None:
    """The front of before says that it is not ready as soon as it is applied."""
    number = clone.add_migration("contract", "DROP TABLE credits.of_the_test;", needed=False)
    clone.commit("the table is not used any more")
    assert "it runs version" in await _must(clone)
    assert await _schema(clone) == number
    await spent.goes_on()


async def _one_whose_front_does_not_come_up_stops_there(clone: Clone, spent: Spent) -> None:
    before = _pids(clone)
    clone.change(_MAIN, _AT_START, f"{_AT_START}    sys.exit('it is broken')\n")
    complaint = await _refused(clone)
    assert "api does not start" in complaint
    assert "it is broken" in (clone.home / "logs" / "api.log").read_text()  # the old front writes there too
    assert {name for name, pid in _pids(clone).items() if pid == before[name]} == {*SERVERS, "api"}
    await spent.goes_on()
    clone.git("checkout", "-q", ".")
    assert "it runs version" in await _must(clone)
    assert await _shown(clone) == "The next"


async def _who_is_interrupted_does_not_stop_it(clone: Clone, spent: Spent) -> None:
    before = _pids(clone)
    clone.change(TITLE, 'title="The next"', 'title="The one after"')
    commit = clone.commit("another title")
    with clone.begin("up", "--detach") as first:
        await asyncio.to_thread(_until, first, "replacing")
        first.send_signal(signal.SIGINT)
        assert "goes on" in await asyncio.to_thread(_rest, first)
        assert await asyncio.to_thread(first.wait, 60) == 130
    await _must(clone)
    await spent.goes_on()
    assert await _shown(clone) == "The one after"
    assert {name for name, pid in _pids(clone).items() if pid == before[name]} == SERVERS
    assert commit in (clone.home / "status.json").read_text()


async def _down_in_the_midst_of_it_is_in_order(clone: Clone) -> None:
    running = [*_pids(clone).values(), clone.supervisor()]
    clone.change(TITLE, 'title="The one after"', 'title="None"')
    with clone.begin("up", "--detach") as first:
        await asyncio.to_thread(_until, first, "replacing")
        assert "Stopped" in await asyncio.to_thread(clone.must, "down")
        assert "The supervisor ended meanwhile" in await asyncio.to_thread(_rest, first)
        assert await asyncio.to_thread(first.wait, 60) == 1
    assert not any(map(ProcessId.of, running))
    assert not (clone.home / "status.json").exists()


def _until(process: subprocess.Popen[str], word: str) -> None:
    assert process.stderr
    while word not in process.stderr.readline():
        assert process.poll() is None


def _rest(process: subprocess.Popen[str]) -> str:
    assert process.stderr
    return process.stderr.read()


def _pids(clone: Clone) -> dict[str, int]:
    return {name: entry["pid"] for name, entry in clone.processes().items()}


async def _must(clone: Clone) -> str:
    return await asyncio.to_thread(clone.must, "up", "--detach")


async def _refused(clone: Clone) -> str:
    done = await asyncio.to_thread(clone.run, "up", "--detach")
    assert done.returncode == 1, done.stdout
    return done.stderr


async def _shown(clone: Clone) -> str:
    async with httpx.AsyncClient(base_url=clone.env()["MANA_API_URL"], timeout=30) as http:
        return (await http.get("/openapi.json")).json()["info"]["title"]


async def _schema(clone: Clone) -> int:
    connection = await asyncpg.connect(clone.env()["MANA_DATABASE_READONLY_URL"])
    try:
        return await connection.fetchval("SELECT max(number) FROM mana.migrations")
    finally:
        await connection.close()
