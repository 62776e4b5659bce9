"""Servers that a test starts for itself, as the launcher would."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ops.program import Program


@asynccontextmanager
async def served(
    program: Program, *, in_order: bool = True, wait: bool = True
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Runs it until the block ends, once its probe says that it is ready, or at once where ``wait`` is false.

    It must end in order when it is asked to, and is killed where ``in_order`` is false.
    """
    child = await asyncio.create_subprocess_exec(
        *program.identity.command(program.argv, death_signal="KILL"),
        cwd=program.cwd,
        env=dict(program.env),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = asyncio.create_task(_read(child))
    try:
        async with asyncio.timeout(60):
            while wait and not await program.probe():
                assert child.returncode is None, await said
                await asyncio.sleep(0.05)
        yield child
    finally:
        if child.returncode is None:
            child.send_signal(signal.Signals[f"SIG{program.stop_signal}"] if in_order else signal.SIGKILL)
        try:
            async with asyncio.timeout(program.stop_seconds):
                await child.wait()
        except TimeoutError:
            child.kill()
            raise AssertionError(f"{program.name} did not stop: {await said}") from None


async def _read(child: asyncio.subprocess.Process) -> str:
    assert child.stdout
    return (await child.stdout.read()).decode(errors="replace")
