"""Debian's promtool and amtool, installed where they are missing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from ops import packages

Promtool = Callable[..., str]


@pytest.fixture(scope="session")
def promtool() -> Promtool:
    """Runs it with some words; what it said, and an assertion where it found a fault."""
    packages.require_all(packages.MONITORING, watch=lambda _line: None)

    def run(*words: str) -> str:
        done = subprocess.run(["promtool", *words], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
