"""What a process is started with in its first life, and in the ones after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count

from ops.errors import LauncherError
from ops.program import Program


def recipe(
    make: Callable[[], Program], first: Mapping[str, str], later: Mapping[str, str] | None
) -> Callable[[], Program]:
    """A recipe for a child: ``make``'s program with more in its environment, ``None`` where there is no later life."""
    askings = count(-1)  # a child asks once for the name alone, then for each life

    def next_life() -> Program:
        more = first if next(askings) <= 0 else later
        if more is None:
            raise LauncherError("it has one life only")
        program = make()
        return replace(program, env={**program.env, **more})

    return next_life
