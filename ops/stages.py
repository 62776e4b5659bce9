"""The processes of one instance, in the order in which they go down."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from ops.child import Child
from ops.program import Program
from ops.status import Board, ProcessStatus


class Stages(Mapping[str, list[Child]]):
    """Taken down stage by stage, what is inside one at the same time: nobody loses what it still needs."""

    def __init__(self, names: Iterable[str], logs: Path, board: Board) -> None:
        self._by_name: dict[str, list[Child]] = {name: [] for name in names}
        self._logs = logs
        self._board = board

    def __getitem__(self, name: str) -> list[Child]:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def start(self, stage: str, recipe: Callable[[], Program], told: ProcessStatus | None = None) -> Child:
        """One more; `told`: what runs already, and is told of, goes on as its first life."""
        child = Child(recipe, self._logs, self._board, told)
        self._by_name[stage].append(child)
        return child

    def keep(self, stage: str, program: Program, told: ProcessStatus | None = None) -> Child:
        """One more whose program is made once, for all its lives; `told` as for `start`."""
        return self.start(stage, partial(_same, program), told)

    async def drain(self) -> None:
        """Stop all, in order; never raises for a process that was gone already."""
        for children in self._by_name.values():
            await asyncio.gather(*(child.stop() for child in children))


def _same(program: Program) -> Program:
    return program
