"""The runner applies each file once, whole or not at all, and refuses what does not fit with what it did before."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from migrations.errors import MigrationError
from migrations.runner import Wish, migrate
from ops.place import CHECKOUT
from tests.integration.ledger.server import Database

EXPAND = "-- phase: expand\n"


@dataclass
class Folder:
    """A folder of migrations for one test, and the database that they go to."""

    path: Path
    url: str

    def write(self, name: str, sql: str) -> None:
        """One file, with a header."""
        (self.path / name).write_text(EXPAND + sql)

    async def migrate(self, *, up_to: int | None = None, beside: int | None = None, dry_run: bool = False) -> list[str]:
        """What the runner said."""
        told: list[str] = []
        await migrate(self.url, Wish(up_to=up_to, beside=beside, dry_run=dry_run, folder=self.path), told.append)
        return told

    async def stopped(self) -> Awaitable[list[str]]:
        """Migrates until the runner says that it waits for something; what it said in the end comes of the answer."""
        told: list[str] = []

        async def run() -> list[str]:
            await migrate(self.url, Wish(folder=self.path), told.append)
            return told

        running = asyncio.create_task(run())
        while not told and not running.done():
            await asyncio.sleep(0.02)
        return running


@pytest.fixture
def folder(tmp_path: Path, empty: Database) -> Folder:
    """Two files that can be applied."""
    made = Folder(tmp_path, empty.url("mana_owner"))
    made.write("0001_first.sql", "CREATE SCHEMA one; CREATE TABLE one.a (n integer);")
    made.write("0002_second.sql", "CREATE TABLE one.b (n integer);")
    return made


async def _tables(by_hand: asyncpg.Connection) -> set[str]:
    rows = await by_hand.fetch("SELECT tablename FROM pg_tables WHERE schemaname IN ('one', 'mana')")
    return {row["tablename"] for row in rows}


async def test_each_file_is_applied_once(folder: Folder, by_hand: asyncpg.Connection) -> None:
    assert await folder.migrate() == ["applied 0001_first", "applied 0002_second"]
    assert await folder.migrate() == ["nothing to apply"]
    rows = await by_hand.fetch("SELECT number, name, phase FROM mana.migrations ORDER BY number")
    assert [tuple(row) for row in rows] == [(1, "first", "expand"), (2, "second", "expand")]


async def test_who_waits_for_the_runner_is_let_go_first(folder: Folder, by_hand: asyncpg.Connection) -> None:
    """A deadlock with a program that goes on: the file is tried again."""
    await folder.migrate()
    folder.write("0003_third.sql", "LOCK one.a; SELECT pg_sleep(0.5); ALTER TABLE one.b ADD COLUMN m integer;")
    await by_hand.execute("SET deadlock_timeout = '1min'")
    async with by_hand.transaction():
        await by_hand.execute("LOCK one.b IN ACCESS SHARE MODE")
        running = asyncio.create_task(folder.migrate())
        held = "SELECT count(*) FROM pg_locks WHERE relation = 'one.a'::regclass AND granted"
        while not await by_hand.fetchval(held):
            await asyncio.sleep(0.02)
        await by_hand.execute("LOCK one.a IN ACCESS SHARE MODE")
    assert await running == ["0003_third waits for a lock, try 1 of 15", "applied 0003_third"]


async def test_an_index_that_was_left_unfinished_is_built_anew(folder: Folder, by_hand: asyncpg.Connection) -> None:
    await folder.migrate()
    folder.write(
        "0003_third.sql", "-- mana: no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS by_n ON one.a (n);"
    )
    async with by_hand.transaction():
        await by_hand.execute("INSERT INTO one.a VALUES (1)")
        running = await folder.stopped()
        left = "SELECT count(*) FROM pg_index WHERE NOT indisvalid AND indrelid = 'one.a'::regclass"
        assert await by_hand.fetchval(left) == 1
    assert await running == ["0003_third waits for a lock, try 1 of 15", "applied 0003_third"]
    assert await by_hand.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'one.by_n'::regclass")


async def test_up_to_a_number_and_then_the_rest(folder: Folder) -> None:
    assert await folder.migrate(up_to=1) == ["applied 0001_first"]
    assert await folder.migrate() == ["applied 0002_second"]


async def test_beside_programs_of_before_nothing_is_taken_away(folder: Folder, by_hand: asyncpg.Connection) -> None:
    (folder.path / "0003_third.sql").write_text("-- phase: contract\nDROP TABLE one.b;")
    with pytest.raises(MigrationError, match=r"^0003_third takes away .* \./mana down, then \./mana up\.$"):
        await folder.migrate(beside=3)
    assert await folder.migrate(beside=2) == ["applied 0001_first", "applied 0002_second"]
    assert await folder.migrate(beside=2) == ["nothing to apply"]
    assert await folder.migrate() == ["applied 0003_third"]
    folder.write("0005_fifth.sql", "SELECT 1;")
    (folder.path / "0004_fourth.sql").write_text("-- phase: contract\nDROP TABLE one.a;")
    with pytest.raises(MigrationError, match="0004_fourth takes away"):
        await folder.migrate(beside=2)
    assert await _tables(by_hand) == {"a", "migrations"}


async def test_a_version_of_before_lives_with_what_was_added_but_not_with_what_was_taken_away(folder: Folder) -> None:
    folder.write("0003_third.sql", "CREATE TABLE one.c (n integer);")
    await folder.migrate()
    (folder.path / "0003_third.sql").unlink()
    assert await folder.migrate() == ["nothing to apply"]
    (folder.path / "0003_third.sql").write_text(f"{EXPAND}CREATE TABLE one.c (n integer);")
    (folder.path / "0004_fourth.sql").write_text("-- phase: contract\nDROP TABLE one.c;")
    await folder.migrate()
    (folder.path / "0004_fourth.sql").unlink()
    with pytest.raises(MigrationError, match="0004_fourth was applied to this database but its file is missing"):
        await folder.migrate()


async def test_a_dry_run_changes_nothing(folder: Folder, by_hand: asyncpg.Connection) -> None:
    assert await folder.migrate(dry_run=True) == ["would apply 0001_first", "would apply 0002_second"]
    assert await _tables(by_hand) == set()


async def test_a_failing_file_leaves_nothing_and_those_before_it_stay(
    folder: Folder, by_hand: asyncpg.Connection
) -> None:
    folder.write("0003_third.sql", "CREATE TABLE one.c (n integer); SELECT 1 / 0;")
    with pytest.raises(MigrationError, match="0003_third failed"):
        await folder.migrate()
    assert await _tables(by_hand) == {"a", "b", "migrations"}
    folder.write("0003_third.sql", "CREATE TABLE one.c (n integer);")
    assert await folder.migrate() == ["applied 0003_third"]


async def test_what_needs_no_transaction_has_none(folder: Folder, by_hand: asyncpg.Connection) -> None:
    folder.write("0003_index.sql", "-- mana: no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS a_n ON one.a (n);")
    assert (await folder.migrate())[-1] == "applied 0003_index"
    assert await by_hand.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'one.a_n'::regclass")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("0001_first.sql", EXPAND, "changed after it was applied"),
        ("0001_first.sql", None, "its file is missing"),
        ("0000_zeroth.sql", EXPAND, "give it a higher number"),
        ("0002_again.sql", EXPAND, "have the same number"),
        ("third.sql", EXPAND, "rename it"),
        ("0003_third.sql", "SELECT 1;", "add the line"),
        ("0003_third.sql", EXPAND + "COMMIT;", "transaction itself"),
    ],
)
async def test_files_that_do_not_fit(folder: Folder, name: str, text: str | None, sentence: str) -> None:
    await folder.migrate()
    if text is None:
        (folder.path / name).unlink()
    else:
        (folder.path / name).write_text(text)
    with pytest.raises(MigrationError, match=sentence):
        await folder.migrate()


async def test_two_runs_at_once_apply_each_file_once(folder: Folder) -> None:
    told = await asyncio.gather(folder.migrate(), folder.migrate())
    assert sorted(told) == [["applied 0001_first", "applied 0002_second"], ["nothing to apply"]]


async def test_a_table_in_use_is_waited_for_but_not_so_that_others_queue_up(
    folder: Folder, by_hand: asyncpg.Connection
) -> None:
    await folder.migrate()
    folder.write("0003_third.sql", "ALTER TABLE one.a ADD COLUMN m integer;")
    holding = by_hand.transaction()
    await holding.start()
    await by_hand.execute("LOCK TABLE one.a")
    running = await folder.stopped()
    await holding.commit()
    assert await running == ["0003_third waits for a lock, try 1 of 15", "applied 0003_third"]


async def test_a_database_that_is_not_there(folder: Folder) -> None:
    folder.url = "postgresql://x@127.0.0.1:9/x"
    with pytest.raises(MigrationError, match="cannot be reached"):
        await folder.migrate()


def _run(*arguments: str, url: str | None, partitions: str | None = None) -> subprocess.CompletedProcess[str]:
    given = {"DATABASE_URL": url, "MANA_PARTITIONS": partitions}
    environment = {"PATH": os.environ["PATH"], **{name: value for name, value in given.items() if value is not None}}
    return subprocess.run(
        [sys.executable, "-m", "migrations", *arguments],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


async def test_the_program_makes_the_whole_schema(empty: Database, by_hand: asyncpg.Connection) -> None:
    url = empty.url("mana_owner")
    told = _run(url=url, partitions="8")
    assert told.returncode == 0, told.stderr
    assert "applied 0001_credits" in told.stdout
    assert "made 8 partitions" in told.stdout
    rows = await by_hand.fetch("SELECT partition, epoch, position, confirmed FROM credits.partitions ORDER BY 1")
    assert [tuple(row) for row in rows] == [(number, 0, 0, 0) for number in range(8)]
    for partitions in (None, "8"):
        again = _run(url=url, partitions=partitions)
        assert (again.returncode, again.stdout) == (0, "nothing to apply\n")
    other = _run(url=url, partitions="16")
    assert (other.returncode, other.stderr.count("\n")) == (1, 1)
    assert "has 8 partitions, not 16" in other.stderr


@pytest.mark.parametrize(
    ("url", "partitions", "sentence"),
    [
        (None, None, "DATABASE_URL is not set"),
        ("postgresql://x@127.0.0.1:9/x", "none", "MANA_PARTITIONS"),
        ("postgresql://x@127.0.0.1:9/x", "0", "MANA_PARTITIONS"),
        ("postgresql://x@127.0.0.1:9/x", "1025", "from 1 to 1024"),
        ("postgresql://x@127.0.0.1:9/x", None, "cannot be reached"),
        ("nonsense", None, "cannot be reached"),
    ],
)
def test_the_program_says_what_it_lacks_in_one_sentence(url: str | None, partitions: str | None, sentence: str) -> None:
    told = _run(url=url, partitions=partitions)
    assert told.returncode == 1
    assert sentence in told.stderr
    assert len(told.stderr.splitlines()) == 1


async def test_without_an_argument_there_are_as_many_partitions_as_queues(
    empty: Database, by_hand: asyncpg.Connection
) -> None:
    assert _run("--to", "1", url=empty.url("mana_owner")).returncode == 0
    assert await by_hand.fetchval("SELECT count(*) FROM credits.partitions") == 32
