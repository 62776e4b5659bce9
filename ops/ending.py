"""The end of a process that was started for a while, by whoever started it."""

import asyncio


async def end(child: asyncio.subprocess.Process, patience: float) -> bool:
    """Ask it to end, and kill it after so many seconds; whether it ended without that. One that has ended stays so."""
    if child.returncode is None:
        child.terminate()
    try:
        async with asyncio.timeout(patience):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()
        return False
    return True
