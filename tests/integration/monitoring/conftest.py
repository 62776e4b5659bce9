"""Debian's promtool and amtool, installed where they are missing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from ops import packages

Tool = Callable[..., str]
"""Runs it with some words; what it said, and an assertion where it found a fault."""


@pytest.fixture(scope="session")
def promtool() -> Tool:
    return _tool("promtool")


@pytest.fixture(scope="session")
def amtool() -> Tool:
    return _tool("amtool")


def _tool(name: str) -> Tool:
    packages.require_all(packages.MONITORING, watch=lambda _line: None)

    def run(*words: str) -> str:
        done = subprocess.run([name, *words], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
