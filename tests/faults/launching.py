"""A shipped process with crash points and, where it is asked for, a mutant: behind locks that production never opens.

1. Shipped code reads no variable for this: its ``crash`` does nothing, and is replaced here, before anything that calls
   it is imported.
2. Its settings refuse to start where a ``MANA_CRASH_`` variable exists; here they are taken out of the environment.
3. The database's name must end in ``_test``, and it must bear the mark that only a test makes (``marker``).
4. None of this is in the wheel (``test_wheel``).
"""

from __future__ import annotations

import asyncio
import importlib
import os
import runpy
import sys
from typing import Final, NoReturn

from tests.faults import crash, marker, wires

CRASH_AT: Final = "MANA_CRASH_AT"
MUTANT: Final = "MANA_MUTANT"


def become(package: str, module: str) -> NoReturn:
    """Runs the ordinary main of ``module``, whose no-op is ``package.crash``; exit status 2 where a lock holds."""
    try:
        _pass_locks()
        _replace(package, os.environ.pop(CRASH_AT, ""))
        _put_on(os.environ.pop(MUTANT, ""))
    except (marker.NoTestDatabaseError, crash.SpecificationError) as refusal:
        sys.stderr.write(f"{refusal}\n")
        sys.exit(2)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit(0)


def _pass_locks() -> None:
    url = os.environ.get("DATABASE_URL", "")
    marker.require_name(url)
    asyncio.run(marker.require_mark(url))


def _replace(package: str, specification: str) -> None:
    early = [name for name in sys.modules if name.startswith(f"{package}.")]
    if early:
        raise AssertionError(f"imported before its crash points were replaced: {early}")
    if specification:
        points = importlib.import_module(f"{package}.crash")
        points.crash = crash.Crash(crash.parse(specification), wires.flushed)  # type: ignore[attr-defined]


def _put_on(names: str) -> None:
    """Mutants import the worker, which by then finds its crash points replaced."""
    if names:
        importlib.import_module("tests.faults.mutants").apply(names)
