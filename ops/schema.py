"""Brings the database's schema up to date, by the migrations' own program."""

import asyncio

from ops.errors import Refusal
from ops.place import CHECKOUT
from ops.programs import python, run_environment


async def migrate(owner_url: str) -> str:
    """Apply what is missing; answer what the program said. Raises Refusal with its last words."""
    if not (CHECKOUT / "migrations" / "__main__.py").exists():
        return "no migrations yet"
    process = await asyncio.create_subprocess_exec(
        *python("migrations"),
        cwd=CHECKOUT,
        env=run_environment({"DATABASE_URL": owner_url}),
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
        raise Refusal(f"The migrations failed: {(text.splitlines() or ['no output'])[-1]}")
    return text
