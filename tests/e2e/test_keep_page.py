"""docs/operations/keep.md: what it tells an operator to type is typed, at a place that works and at two made of it."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import aio_pika
import asyncpg
import pytest

from contracts import dead_letters
from contracts.topology import DEAD_QUEUE, FRONT_LOGIN, WORKER_LOGIN
from ops import layout, state
from ops.instance import Instance, private
from tests.e2e.client import Client
from tests.e2e.starter import CHECKOUT
from tests.e2e.walkthrough import COMMANDS, Block, blocks_of, outputs
from tests.integration.workers.conftest import passable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PAGE = (CHECKOUT / "docs" / "operations" / "keep.md").read_text(encoding="utf-8")
_LETTERS = ("5f0c12ab90de3471", "9d41e07c66fa2b18")
_MOMENT = "2027-01-31T12:00:00Z"
_LAUNCHER = f"""#!/bin/sh
exec {sys.executable} -P -m ops "$@"
"""


@pytest.fixture(scope="module")
def folder() -> Generator[Path]:
    """The machine as the page has it: a folder for backups, one for places, both to be passed by the servers' users."""
    with passable("keep") as folder:
        for name in ("backups", "srv"):
            (folder / name).mkdir(mode=0o711)
        (folder / "mana").write_text(_LAUNCHER)
        (folder / "mana").chmod(0o755)
        yield folder


@pytest.fixture(scope="module")
def instance(folder: Path) -> Generator[Instance]:
    """A place that archives its WAL."""
    settings = {"BACKUP_WAL_DIR": str(folder / "backups" / "wal")}
    with private(partitions=4, name="keep", environment=settings) as running:
        yield running


async def test_what_the_page_says_is_done(instance: Instance, folder: Path) -> None:
    await _put_letters(instance)
    told = await _typed(
        "Dead letters", instance, folder, dict(zip(_LETTERS, await _ids(instance, folder), strict=True))
    )
    assert "credits.use is done." in told
    assert "There are no such letters." in told
    assert "is given up." in told

    told = await _typed("Backup", instance, folder, {})
    assert "It holds secrets." in told
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    await _archived(instance)
    for section, name in (("Restore", "mana"), ("To a moment", "mana-then")):
        place = folder / "srv" / name
        try:
            told = await _typed(section, instance, folder, {_MOMENT: moment})
            assert f"{place} is restored" in told
        finally:
            purge = f"export MANA_HOME={place}\n./mana down --purge\n"
            await _shell(Block(0, "", COMMANDS, purge), instance, folder)


async def _typed(section: str, instance: Instance, folder: Path, replaced: dict[str, str]) -> str:
    """What the section's commands print, with the page's names in place of what is here."""
    here = {"/var/backups/mana": str(folder / "backups"), "/srv/": f"{folder}/srv/", **replaced}
    (block,) = (block for block in blocks_of(PAGE) if block.language == COMMANDS and block.section == section)
    text = block.text
    for name, value in here.items():
        text = text.replace(name, value)
    return await _shell(Block(block.line, section, COMMANDS, text), instance, folder)


async def _shell(block: Block, instance: Instance, folder: Path) -> str:
    surroundings = {"MANA_HOME": str(instance.place.home), "PYTHONPATH": str(CHECKOUT), "PORT": "21000"}
    printed = await asyncio.to_thread(outputs, [block], folder, surroundings)
    return printed[block.line]


async def _put_letters(instance: Instance) -> None:
    """Two commands that a worker kept for a fault of ours which is mended by now."""
    async with Client.connected(instance.addresses.amqp) as client:
        user = await client.open_user()
    async with await aio_pika.connect(instance.addresses.amqp_as(WORKER_LOGIN)) as connection:
        channel = await connection.channel()
        for key in ("to-be-sent", "to-be-dropped"):
            use = {"userId": user, "amount": 1, "appId": "chat", "description": "a use", "idempotencyKey": key}
            reason = f"internal: {key}" if key == "to-be-sent" else "a client's mistake"
            headers = {dead_letters.REASON: reason, dead_letters.ROUTING_KEY: user, dead_letters.LOGIN: FRONT_LOGIN}
            message = aio_pika.Message(
                json.dumps(use).encode(), type="credits.use", user_id=WORKER_LOGIN, headers={**headers}, delivery_mode=2
            )
            await channel.default_exchange.publish(message, DEAD_QUEUE)


async def _ids(instance: Instance, folder: Path) -> list[str]:
    listed = await _shell(Block(0, "", COMMANDS, "./mana dead list\n"), instance, folder)
    return re.findall(r"^[0-9a-f]{16}", listed, flags=re.MULTILINE)


async def _archived(instance: Instance) -> None:
    """Returns once all WAL of before, and a commit behind it, is in the archive."""
    remembered = state.load(instance.place.state)
    assert remembered is not None
    administrator = await asyncpg.connect(layout.remembered_postgres(remembered).url)
    await administrator.execute("COMMENT ON DATABASE postgres IS 'a commit behind the moment'")
    segment = await administrator.fetchval("SELECT pg_walfile_name(pg_switch_wal())")
    while (await administrator.fetchval("SELECT last_archived_wal FROM pg_stat_archiver") or "") < segment:
        await asyncio.sleep(0.05)
    await administrator.close()
