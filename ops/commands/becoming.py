"""How a command of ./mana becomes one of our other programs."""

import os
import sys
from typing import Final, NoReturn

from ops import instance
from ops.place import Place
from ops.programs import ProcessSettings, python, run_environment
from ops.state import DatabaseRole

# For a program that reads its own options, its --help too.
PASS_ON: Final = {"allow_extra_args": True, "ignore_unknown_options": True}


def own_settings() -> ProcessSettings:
    """What the processes of the running instance are told. Raises LauncherError where none runs."""
    return ProcessSettings(instance.of(Place.from_environment()).addresses, partitions=1)


def become(module: str, arguments: list[str], env: dict[str, str]) -> NoReturn:
    """Become one of our programs: signals reach it, and its exit status is ours."""
    command = [*python(module), *arguments]
    sys.stdout.flush()
    os.execve(command[0], command, {**run_environment({}), **env})  # noqa: S606 - no shell is what we want


def operate(program: str, arguments: list[str], role: DatabaseRole) -> NoReturn:
    """Become one of the operator's programs, which acts as that role at the running instance's database."""
    become(f"api.operators.{program}", arguments, own_settings().operator(role))
