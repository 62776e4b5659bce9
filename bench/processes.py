"""The processes that are measured: started for a round, stopped behind it, since queues have one active consumer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.errors import BenchError
from ops.ending import end
from ops.program import Program
from ops.programs import python

_READY_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.2
_ECHO_NAME: Final = "echo"


ECHO: Final = "bench.echo"
FRAMES_ECHO: Final = "bench.frames_echo"


def echo(worker: Program, module: str = ECHO) -> Program:
    """An echo in the worker's place: same login, same partitions, same queues."""
    return replace(worker, name=_ECHO_NAME, argv=python(module))


def is_echo(program: Program) -> bool:
    """Whether it is one of the echoes, which have no page for health and metrics: that would be work of its own."""
    return program.name == _ECHO_NAME


@asynccontextmanager
async def running(programs: Sequence[Program], folder: Path, name: str) -> AsyncGenerator[list[int]]:
    """Their process ids, once all are ready; all start at once, and are stopped by their own signal at the end.

    What they say goes to files in ``folder``, named after ``name``. Raises ``BenchError`` where one does not become
    ready, or does not stop.
    """
    started: list[_Started] = []
    try:
        for program in programs:
            started.append(await _start(program, folder / f"bench-{name}-{program.name}.log"))  # noqa: PERF401
        await asyncio.gather(*(_until_ready(each) for each in started))
        yield [each.process.pid for each in started]
    finally:
        await asyncio.gather(*(_stop(each) for each in started))


@dataclass(frozen=True)
class _Started:
    program: Program
    process: asyncio.subprocess.Process
    log: Path


async def _start(program: Program, log: Path) -> _Started:
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *program.argv, env=dict(program.env), cwd=program.cwd, stdout=output, stderr=output
        )
    return _Started(program, process, log)


async def _until_ready(started: _Started) -> None:
    program, process, log = started.program, started.process, started.log
    try:
        async with asyncio.timeout(_READY_SECONDS):
            while not await _is_ready(program, log):
                if process.returncode is not None:
                    raise BenchError(f"{program.name} ended with status {process.returncode}: {_last_words(log)}")
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError as error:
        raise BenchError(f"{program.name} was not ready within {_READY_SECONDS:.0f} s: {_last_words(log)}") from error


async def _is_ready(program: Program, log: Path) -> bool:
    if is_echo(program):
        return _last_words(log) == "ready"
    return await program.probe()


async def _stop(started: _Started) -> None:
    program, process = started.program, started.process
    if not await end(process, program.stop_seconds):
        raise BenchError(f"{program.name} did not stop within {program.stop_seconds:.0f} s.")


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"
