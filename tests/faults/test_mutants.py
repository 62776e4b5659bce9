"""The mutants fit the worker as it is: each finds the part that it spoils."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ops.place import CHECKOUT
from ops.programs import run_environment
from tests.faults.crash import SpecificationError
from tests.faults.mutants import FORCES, MUTANTS, PAYING, PAYING_FORCES, apply


def test_all_of_them_can_be_put_on() -> None:
    """In a process of its own: what is replaced stays replaced."""
    names = ",".join([*MUTANTS, *FORCES, *PAYING, *PAYING_FORCES])
    command = [sys.executable, "-P", "-c", f"from tests.faults import mutants; mutants.apply({names!r})"]
    done = subprocess.run(command, cwd=CHECKOUT, env=run_environment({}), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_name_that_there_is_not_is_refused() -> None:
    with pytest.raises(SpecificationError):
        apply("no_bug_at_all")
