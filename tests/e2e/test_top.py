"""./mana top: a screen that changes, in a real terminal; one frame as text and as JSON."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from ops.instance import Instance
from ops.place import CHECKOUT
from ops.programs import python
from tests.e2e.client import Client
from tests.e2e.conftest import PARTITIONS
from tests.e2e.terminal import terminal
from tests.faults.tools.telling import until
from tests.integration.api.users import sign_up

TOP = [*python("ops"), "top"]
NOBODY = "http://127.0.0.1:9/metrics"
PATIENCE = 60.0
"""A frame is of its moment: on a busy machine one of ours may just not have answered in time."""
OWNED = f"{PARTITIONS} partitions: worker-0 {PARTITIONS}"


def states(frame: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["state"] for one in frame["processes"]}


@asynccontextmanager
async def working(client: Client, user: str) -> AsyncGenerator[None]:
    """Somebody uses credits all the time."""

    async def use() -> None:
        while True:
            key = secrets.token_hex(8)
            await client.call("credits.use", user, amount=1, appId="chat", description="d", idempotencyKey=key)
            await asyncio.sleep(0.05)

    using = asyncio.create_task(use())
    try:
        yield
        assert not using.done(), using.result()
    finally:
        using.cancel()


async def output(*words: str, **environment: str) -> tuple[int | None, str, str]:
    child = await asyncio.create_subprocess_exec(
        *TOP,
        *words,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, errors = await child.communicate()
    return child.returncode, said.decode(), errors.decode()


def appear(instance: Instance, home: Path) -> None:
    """The instance is found in that home as well, with a process of its own that is down."""
    addresses = (instance.place.home / "env").read_text()
    (home / "env").write_text(addresses.replace("MANA_METRICS_URLS=", f"MANA_METRICS_URLS={NOBODY},"))
    shutil.copy(instance.place.status, home / "status.json")


async def test_a_screen_that_changes(instance: Instance, client: Client, opened_user: str, tmp_path: Path) -> None:
    """It is there before the instance is, and after it; q ends it."""
    environment = {"MANA_HOME": str(tmp_path), "PYTHONPATH": str(CHECKOUT)}
    with terminal([*TOP, "--every", "0.5"], environment) as screen:
        await screen.shows("Nothing runs in", "q: quit")
        appear(instance, tmp_path)
        rows = dict[str, str]()

        async def all_is_well() -> bool:
            seen = await screen.shows(
                OWNED, "credits.use", "command, in the worker", "127.0.0.1:9", "cannot be reached"
            )
            assert "nobody" not in seen
            rows.update(
                (words[0], words[1]) for line in seen.splitlines() if len(words := line.strip("│ ").split()) > 1
            )
            well = rows.get("worker-0") == rows.get("postgres") == "ready"
            return well and float(rows["credits.use"]) > 0

        async with working(client, opened_user):
            await until(all_is_well, "all is well on the screen", PATIENCE)
        assert rows["127.0.0.1:9"] == "down"
        (tmp_path / "status.json").unlink()
        await screen.shows("Nothing runs in")
        screen.press("q")
        await screen.shows("ended 0")


async def test_one_frame(instance: Instance, client: Client, opened_user: str) -> None:
    async with httpx.AsyncClient(base_url=instance.env["MANA_API_URL"], timeout=40) as http:
        await sign_up(http)
    home = {"MANA_HOME": str(instance.place.home)}
    frame, text = dict[str, Any](), ""

    async def all_is_well() -> bool:
        nonlocal text
        (status, said, errors), (_, text, _) = await asyncio.gather(output("--json", **home), output("--once", **home))
        assert status == 0, errors
        frame.update(json.loads(said))
        used = min(frame["commands"].get("credits.use", 0), frame["results"].get("ok", 0))
        reached = "cannot be reached" not in (frame["broker"], frame["database"])
        return used > 0 and reached and OWNED in text and set(states(frame).values()) == {"ready"}

    async with working(client, opened_user):
        await until(all_is_well, "all is well in both frames", PATIENCE)
    taken = {one["name"]: one for one in frame["times"]}["command, in the worker"]
    assert 0 < taken["p50_seconds"] <= taken["p99_seconds"] < 5
    assert {row["owner"] for row in frame["partitions"]} == {"worker-0"}
    assert len([row for row in frame["partitions"] if row["ready"] is not None]) == PARTITIONS
    assert frame["sessions"] >= 1
    assert (frame["dead_letters"], frame["events_unconfirmed"]) >= (0, 0)
    assert (frame["broker"]["alarms"], frame["broker_blocked"]) == ([], False)
    assert 0 < frame["database"]["connections"] < frame["database"]["connections_max"]
    assert states(frame).keys() == {entry.name for entry in instance.status.processes}
    assert "\x1b" not in text


async def test_from_addresses_alone(instance: Instance, tmp_path: Path) -> None:
    """As from another machine, where no supervisor of ours runs: who does not answer is down, whoever it is."""
    named = {"MANA_HOME": str(tmp_path), "MANA_METRICS_URLS": f"{NOBODY},{instance.env['MANA_METRICS_URLS']}"}
    away = {"MANA_DATABASE_READONLY_URL": "postgresql://u:secret@127.0.0.1:9/d", "MANA_AMQP_URL": "amqp://u:secret@h/"}
    away["MANA_RABBITMQ_MANAGEMENT_URL"] = "http://127.0.0.1:9"
    frame = dict[str, Any]()

    async def the_others_are_up() -> bool:
        status, said, errors = await output("--json", **named, **away)
        assert status == 0, errors
        assert "secret" not in said
        frame.update(json.loads(said))
        return {one["state"] for one in frame["processes"][1:]} == {"up"}

    await until(the_others_are_up, "all answer but who is not there", PATIENCE)
    assert (frame["broker"], frame["database"]) == ("cannot be reached", "cannot be reached")
    assert frame["processes"][0] == {**frame["processes"][0], "name": "127.0.0.1:9", "state": "down"}
    assert len(frame["partitions"]) == PARTITIONS, "by those who own them"
