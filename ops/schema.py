"""Brings the database's schema up to date, by the migrations' own program."""

import asyncio

from ops.errors import LauncherError
from ops.place import CHECKOUT
from ops.programs import python, run_environment

NOTHING = "nothing to apply"
"""What it says then."""


async def migrate(owner_url: str, partitions: int, *, beside: int | None = None) -> str:
    """Apply what is missing; answer what the program said. Raises LauncherError with its last words.

    `beside`: no more than what programs of before survive, who run; those to come need the schema of that number.
    """
    process = await asyncio.create_subprocess_exec(
        *python("migrations"),
        *(["--beside", str(beside)] if beside is not None else []),
        cwd=CHECKOUT,
        env=run_environment({"DATABASE_URL": owner_url, "MANA_PARTITIONS": str(partitions)}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    text = output.decode(errors="replace").strip()
    if process.returncode != 0:
        raise LauncherError(f"The migrations failed: {(text.splitlines() or ['no output'])[-1]}")
    return text
