"""How a command of ./mana becomes one of our other programs."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NoReturn

from ops import instance
from ops.addresses import Addresses
from ops.place import Place
from ops.programs import ProcessSettings, python, run_environment
from ops.state import DatabaseRole

# For a program that reads its own options, its --help too.
PASS_ON: Final = {"allow_extra_args": True, "ignore_unknown_options": True}


_elsewhere: Final = ContextVar[Addresses | None]("elsewhere", default=None)


@contextmanager
def acting_at(servers: Addresses) -> Generator[None]:
    """Commands act at these servers, and not at those of an instance here."""
    before = _elsewhere.set(servers)
    try:
        yield
    finally:
        _elsewhere.reset(before)


def instance_here() -> instance.Instance | None:
    """The running instance, None where the commands act at other servers. Raises LauncherError where none runs."""
    return None if _elsewhere.get() else instance.of(Place.from_environment())


def addresses() -> Addresses:
    """Where the commands act. Raises LauncherError where that is the instance here, and none runs."""
    return _elsewhere.get() or instance.of(Place.from_environment()).addresses


def own_settings() -> ProcessSettings:
    """What the processes there are told. Raises LauncherError as `addresses` does."""
    return ProcessSettings(addresses(), partitions=1)


def become(module: str, arguments: list[str], env: dict[str, str]) -> NoReturn:
    """Become one of our programs: signals reach it, and its exit status is ours."""
    command = [*python(module), *arguments]
    sys.stdout.flush()
    os.execve(command[0], command, {**run_environment({}), **env})  # noqa: S606 - no shell is what we want


def operate(program: str, arguments: list[str], role: DatabaseRole) -> NoReturn:
    """Become one of the operator's programs, which acts as that role at the database."""
    become(f"api.operators.{program}", arguments, own_settings().operator(role))
