"""Replaces our processes, one after another, by those of this version, while the place serves.

Whoever understands what others send goes before them: consumers before producers, the front last.
"""

from collections.abc import Callable, Sequence
from typing import Final

from ops.child import Child
from ops.errors import LauncherError
from ops.program import Program
from ops.stages import Stages

BESIDE: Final = frozenset({"api", "workers"})
"""Of these the next one joins before the other ends: they share a door, or partitions. All others are alone in what
they do, and what comes while one is replaced waits for it, in queues or in tables."""


async def roll(
    order: Sequence[str],
    stages: Stages,
    new: Sequence[tuple[str, Callable[[], Program]]],
    patience: float,
    step: Callable[[str], None],
) -> None:
    """Stage after stage: each child's successor, and those of `new`, which the version of before did not have.

    Raises LauncherError at the first that is not ready within `patience` seconds; those not replaced yet go on.
    """
    for name in order:
        stage = stages[name]
        for old in tuple(stage):
            step(f"replacing {old.program.name}")
            await (_beside if name in BESIDE else _instead)(stage, old, patience)
        for recipe in (recipe for place, recipe in new if place == name):
            child = stages.start(name, recipe)
            step(f"starting {child.program.name}")
            await child.ready(patience)


async def _beside(stage: list[Child], old: Child, patience: float) -> None:
    """Both are in the stage as long as both run: whoever takes everything down finds them there."""
    successor = old.successor()
    stage.append(successor)
    try:
        await successor.ready(patience)
    except LauncherError:
        await successor.dismiss()
        stage.remove(successor)
        raise
    await old.dismiss()
    stage.remove(old)


async def _instead(stage: list[Child], old: Child, patience: float) -> None:
    await old.dismiss()
    successor = old.successor()
    stage[stage.index(old)] = successor
    await successor.ready(patience)
