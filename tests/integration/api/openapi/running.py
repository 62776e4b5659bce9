"""Schemathesis as a process of its own, against a front, on behalf of somebody."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ops.instance import Instance
from ops.place import CHECKOUT

Who = Literal["nobody", "user", "administrator"]

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Run:
    """What schemathesis said, and the statuses that each operation was answered with."""

    passed: bool
    output: str
    statuses: Mapping[str, set[int]]


async def run(url: str, servers: Instance, folder: Path, who: Who, *arguments: str) -> Run:
    """A whole run over the front's document."""
    calls = folder / "calls"
    surroundings = {
        "PYTHONPATH": str(CHECKOUT),
        "SCHEMATHESIS_HOOKS": "tests.integration.api.openapi.hooks",
        "OPENAPI_TEST_URL": url,
        "OPENAPI_TEST_OWNER": servers.addresses.database_as("mana_owner"),
        "OPENAPI_TEST_AS": who,
        "OPENAPI_TEST_CALLS": str(calls),
    }
    child = await asyncio.create_subprocess_exec(
        Path(sys.executable).parent / "schemathesis",
        *("--config-file", str(_HERE / "schemathesis.toml"), "run", f"{url}/openapi.json"),
        *("--no-color", "--continue-on-failure", "--warnings", "off", "--request-timeout", "40"),
        # Machines that test are shared: an example that waits for its turn is no defect.
        *("--suppress-health-check", "too_slow"),
        *arguments,
        cwd=folder,
        env={**os.environ, **surroundings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
    return Run(child.returncode == 0, output.decode(), _statuses(calls))


def _statuses(calls: Path) -> dict[str, set[int]]:
    answered: dict[str, set[int]] = {}
    for line in calls.read_text(encoding="utf-8").splitlines():
        operation, status = json.loads(line)
        answered.setdefault(operation, set()).add(status)
    return answered
