"""Each invariant is broken by hand, and the audit finds it and names who is concerned."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import AsyncGenerator

import asyncpg
import pytest

from ops.place import CHECKOUT
from tests.integration.ledger.breaches import BREAKS, NAMED_BY_ASSET, NAMED_BY_DAY, NAMED_BY_PARTITION
from tests.integration.ledger.buying import begin, dispute, failed, paid, refund
from tests.integration.ledger.owner import Owner, done, request, use
from tests.integration.ledger.server import Database
from workers.ledger.audit.looking import Finding, audit, invariants, look
from workers.ledger.model import Terms
from workers.ledger.store.session import Session

# The user's history, by hour: a usage of 50 and a refund of 20.
_COUNTED = """
INSERT INTO credits.usage_stats
SELECT account_id, (created_at AT TIME ZONE 'UTC')::date, date_part('hour', created_at AT TIME ZONE 'UTC'), 'chat', '',
    count(*) FILTER (WHERE type = 'usage'), coalesce(50 * count(*) FILTER (WHERE type = 'usage'), 0),
    count(*) FILTER (WHERE type = 'refund'), coalesce(20 * count(*) FILTER (WHERE type = 'refund'), 0)
FROM credits.transactions WHERE account_id = $1 AND type IN ('usage', 'refund') GROUP BY 1, 2, 3
"""
_KNOWN = "INSERT INTO credits.usage_progress SELECT account_id, sequence FROM credits.balances WHERE account_id = $1"
_UNBIND = """
DO $$
DECLARE bound record;
BEGIN
    FOR bound IN
        SELECT conrelid::regclass AS "table", conname AS name FROM pg_constraint
        WHERE connamespace = 'credits'::regnamespace
        ORDER BY contype = 'p'
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', bound."table", bound.name);
    END LOOP;
END $$
"""


@pytest.fixture(scope="module")
async def user(shared: Database) -> str:
    """An account with some history, beside a second one that stays as it is."""
    async with Owner.of(shared) as owner:
        await owner.open(partition=3)
        user = await owner.open(partition=3)
        used = done(await owner.use(user, 50, "use", partition=3)).transaction
        assert used is not None
        await owner.do(
            request("credits.refund", user, "refund", partition=3, transactionId=used.id, amount=20),
            request("credits.adjust", user, "adjust", partition=3, amount=10, description="x", reason="y"),
            request("account.freeze", user, "freeze", partition=3, reason="y"),
        )
    by_hand = await asyncpg.connect(shared.admin)
    for each in (_COUNTED, _KNOWN):
        await by_hand.execute(each, user)
    await by_hand.close()
    return user


@pytest.fixture(scope="module")
async def buyer(shared: Database) -> str:
    """An account with a purchase of every status."""
    by_hand = await asyncpg.connect(shared.admin)
    async with Owner.of(shared) as owner:
        buyer = await owner.open()
        sizes = (500, 300, 9, 8, 100)
        owing, held, _, declined, used = [await begin(by_hand, buyer, size, size) for size in sizes]
        await owner.do(paid(buyer, owing, 500), use(buyer, 600, "most of it"))
        await owner.do(refund(buyer, owing, 200), dispute(buyer, owing, 300))
        await owner.do(paid(buyer, held, 300), dispute(buyer, held, 300), failed(buyer, declined))
        await owner.do(refund(buyer, owing, 300, name="re_2"), dispute(buyer, owing, 300, "won"))
    async with Owner.of(shared, Terms(refund_policy="write_off")) as owner:
        await owner.do(paid(buyer, used, 100), use(buyer, 1, "some of it"), refund(buyer, used, 100))
    statuses = await by_hand.fetch("SELECT status FROM credits.purchases ORDER BY created_at")
    assert [row["status"] for row in statuses] == ["refunded", "disputed", "pending", "failed", "refunded"]
    await by_hand.close()
    return buyer


@pytest.fixture(scope="module")
async def breaker(shared: Database) -> AsyncGenerator[Session]:
    """A superuser's session."""
    session = await Session.open(shared.admin, application_name="test", settings={"idle_session_timeout": "0"})
    yield session
    await session.close()


class _UndoneError(Exception):
    """Ends a transaction whose work is not to stay."""


def test_every_invariant_is_broken_here() -> None:
    assert set(BREAKS) == {invariant.name for invariant in invariants()}


async def test_a_sound_ledger_has_no_violations(user: str, buyer: str, shared: Database) -> None:
    findings = await audit(shared.url("mana_readonly"))
    assert [finding for finding in findings if finding.violations or not finding.checked] == []


@pytest.mark.parametrize(("name", "command"), [(name, command) for name in BREAKS for command in BREAKS[name]])
async def test_a_breach_is_found_and_named(user: str, buyer: str, breaker: Session, name: str, command: str) -> None:
    found = await _after(breaker, command.format(user=user, buyer=buyer), name)
    assert found.violations >= 1
    others = {**dict.fromkeys(NAMED_BY_PARTITION, "partition 3"), **dict.fromkeys(NAMED_BY_ASSET, "asset ")}
    others |= dict.fromkeys(NAMED_BY_DAY, "day 20")
    subject = others.get(name, buyer if "{buyer}" in command else user)
    assert any(subject in named for named, _ in found.named), found.named
    assert all(detail for _, detail in found.named)


async def _after(breaker: Session, command: str, name: str) -> Finding:
    """What the audit finds with the constraints dropped and the command done, all of which is taken back."""
    (invariant,) = [one for one in invariants() if one.name == name]
    findings: list[Finding] = []
    with contextlib.suppress(_UndoneError):
        async with breaker.transaction() as run:
            await run.run(_UNBIND)
            await run.run(command)
            findings.append(await look(run, invariant))
            raise _UndoneError
    return findings[0]


def _run(url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workers.ledger.audit"],
        cwd=CHECKOUT,
        env={"DATABASE_URL": url, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )


async def test_the_program_tells_it(owner: Owner, database: Database, by_hand: asyncpg.Connection) -> None:
    user = await owner.open()
    sound = _run(database.url("mana_readonly"))
    assert (sound.returncode, sound.stderr) == (0, "")
    assert "sum of its postings" in sound.stdout
    await by_hand.execute("UPDATE credits.balances SET balance = balance + 1 WHERE account_id = $1", user)
    broken = _run(database.url("mana_readonly"))
    assert broken.returncode == 1
    assert f"balance_is_lots: {user}: paid 1 and free 150, lots hold 0 and 150" in broken.stdout


async def test_the_program_says_what_it_lacks() -> None:
    told = _run("postgresql://x@127.0.0.1:9/x")
    assert told.returncode == 2
    assert len(told.stderr.splitlines()) == 1
