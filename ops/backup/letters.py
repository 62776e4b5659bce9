"""Dead letters of a place, written into its backup, and put back when a place made of it first starts."""

import asyncio
from pathlib import Path

import msgspec

from contracts.topology import WORKER_LOGIN
from ops.addresses import Addresses
from ops.errors import LauncherError
from ops.programs import ProcessSettings, python, run_environment

_PROGRAM = "api.operators.dead.copies"


class Count(msgspec.Struct):
    """How many letters were copied, and how many were left out: there were too many to be held at a time."""

    done: int
    left: int


async def save(addresses: Addresses, target: Path) -> Count:
    """Write them to a new file; they stay where they are. Raises LauncherError where not all can be looked at now.

    As the administrator, who may look also where the place was started by a version that had no such login yet.
    """
    return await _run(addresses, addresses.amqp, "save", target)


async def put_back(addresses: Addresses, source: Path) -> None:
    """Put all of the file into their queues, as the login that workers keep them by. Raises LauncherError."""
    await _run(addresses, addresses.amqp_as(WORKER_LOGIN), "put", source)


async def _run(addresses: Addresses, amqp: str, act: str, file: Path) -> Count:
    settings = {**ProcessSettings(addresses, partitions=1).dead_letters(), "AMQP_URL": amqp}
    process = await asyncio.create_subprocess_exec(
        *(*python(_PROGRAM), act, str(file)),
        env=run_environment(settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        told = errors.decode(errors="replace").strip().splitlines()[-1:]
        raise LauncherError(f"Dead letters could not be copied ({act} {file}): {' '.join(told)}")
    return msgspec.json.decode(output, type=Count)
