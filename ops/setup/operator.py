"""Operators' programs at servers that somebody else runs."""

import os
import sys
from pathlib import Path
from typing import NoReturn

from ops import layout, state
from ops.errors import LauncherError
from ops.programs import ProcessSettings, python, run_environment
from ops.settings import Settings
from ops.setup import composed


def become(state_file: Path, program: str, arguments: list[str], chosen: Settings) -> NoReturn:
    """Become the program: signals reach it, and its exit status is ours. Raises LauncherError without a state."""
    remembered = state.load(state_file)
    if remembered is None:
        raise LauncherError(f"There is no {state_file}: make it with python -m ops.setup secrets {state_file.parent}.")
    plan = layout.lay_out(remembered, composed.servers(remembered.secrets, chosen))
    role = "mana_api" if program == "rotate_keys" else "mana_owner"
    processes = ProcessSettings(plan.addresses, partitions=1)
    settings = processes.dead_letters() if program == "dead" else processes.operator(role)
    command = [*python(f"api.operators.{program}"), *arguments]
    sys.stdout.flush()
    os.execve(command[0], command, {**run_environment({}), **settings})  # noqa: S606 - no shell is what we want
