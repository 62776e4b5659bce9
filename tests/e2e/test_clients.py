"""The examples in three languages: each spends a credit through the queue, and the ledger's row is there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ops.instance import Instance
from tests.e2e import node

CHECKOUT = Path(__file__).parents[2]
_SECONDS = 30.0


def _answer_of(arguments: list[str], instance: Instance, cwd: Path = CHECKOUT) -> dict[str, Any]:
    """Runs a client with the instance's addresses; what it prints. Fails where its status is not 0."""
    environment = {"PATH": os.environ["PATH"], **instance.env}
    done = subprocess.run(
        arguments, cwd=cwd, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def _row(instance: Instance, user: str, key: str) -> tuple[str, int, str]:
    connection = await asyncpg.connect(instance.env["MANA_DATABASE_READONLY_URL"])
    try:
        row = await connection.fetchrow(
            "SELECT type, amount, app_id FROM credits.transactions WHERE account_id = $1 AND idempotency_key = $2",
            user,
            key,
        )
    finally:
        await connection.close()
    assert row is not None, f"no transaction under the key {key}"
    return tuple(row)


async def _spends_once(arguments: list[str], instance: Instance, user: str, cwd: Path = CHECKOUT) -> None:
    """Twice with one key: charged once, and the second answer says so."""
    key = f"example-{uuid.uuid4()}"
    first = _answer_of([*arguments, user, "4", key], instance, cwd)
    again = _answer_of([*arguments, user, "4", key], instance, cwd)
    assert first["ok"]
    assert first["transaction"]["amount"] == -4
    assert again == {**first, "replayed": True}
    assert await _row(instance, user, key) == ("usage", -4, "chat")


async def test_python(instance: Instance, opened_user: str) -> None:
    await _spends_once([sys.executable, "examples/spend.py"], instance, opened_user)


async def test_shell(instance: Instance, opened_user: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    await _spends_once(["sh", "examples/spend.sh"], instance, opened_user)


async def test_shell_with_defaults(instance: Instance, opened_user: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    answer = _answer_of(["sh", "examples/spend.sh", opened_user], instance)
    assert answer["transaction"]["amount"] == -3


async def test_python_with_defaults(instance: Instance, opened_user: str) -> None:
    answer = _answer_of([sys.executable, "examples/spend.py", opened_user], instance)
    assert answer["transaction"]["amount"] == -3


@pytest.fixture(scope="module")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example with its library installed beside it, as a user would have it."""
    copy = tmp_path_factory.mktemp("javascript")
    shutil.copytree(CHECKOUT / "examples", copy / "examples")
    shutil.copytree(CHECKOUT / "clients", copy / "clients", ignore=shutil.ignore_patterns("node_modules"))
    node.install(copy / "clients" / "js")
    return copy


async def test_javascript(instance: Instance, opened_user: str, javascript: Path) -> None:
    await _spends_once([str(node.NODE), "examples/spend.mjs"], instance, opened_user, javascript)


def test_the_javascript_lock_names_no_registry() -> None:
    """Pinned by hash; where it comes from is the business of whoever installs it."""
    lock = json.loads((CHECKOUT / "clients/js/package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    assert all("integrity" in package and "resolved" not in package for package in packages.values())
