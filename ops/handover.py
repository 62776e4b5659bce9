"""How a supervisor becomes another version of itself: the same process, and what it started goes on as its children."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from ops import private_file
from ops.doors import Door
from ops.errors import LauncherError
from ops.place import Place

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""What a supervisor is told by. One that comes while it changes is kept by the kernel until the next version hears."""
TAKING_OVER: Final = "--taking-over"
CHECK: Final = "--check"


class Wish(msgspec.Struct):
    """What is asked of the supervisor: the checkout whose code it shall become, and the Python with its packages."""

    number: str
    python: str
    checkout: str


class Handover(msgspec.Struct):
    """What is not in the status: the descriptors of the place's lock and of the open doors."""

    lock: int
    doors: dict[str, Door] = {}

    @property
    def descriptors(self) -> list[int]:
        """All of them."""
        return [self.lock, *(descriptor for door in self.doors.values() for descriptor in door.descriptors)]


def take(place: Place) -> Handover:
    """What was left, once. Raises LauncherError as `read`."""
    left = read(place)
    place.handover.unlink()
    return left


def read(place: Place) -> Handover:
    """What was left. Raises LauncherError where this version does not understand it."""
    try:
        return msgspec.json.decode(place.handover.read_bytes(), type=Handover)
    except (OSError, msgspec.MsgspecError) as error:
        raise LauncherError(f"What was left in {place.handover} is not understood: {error}.") from error


async def attempt(wish: Wish, words: Sequence[str], environment: Mapping[str, str]) -> None:
    """Let that version look whether it could take over a supervisor that was started with these words, in this
    environment. Raises LauncherError with what it says."""
    try:
        process = await asyncio.create_subprocess_exec(
            *_command(wish, words),
            CHECK,
            cwd=wish.checkout,
            env=_environment(wish, environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        raise LauncherError(f"the new version cannot be started ({error})") from error
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        lines = output.decode(errors="replace").strip().splitlines() or ["it ends without a word"]
        raise LauncherError(f"the new version does not start: {lines[-1]}")


async def succeed(wish: Wish, left: Handover, place: Place) -> None:
    """Become that version, if it says that it can take over. Returns only by an exception: LauncherError, and
    everything is as it was."""
    private_file.write(place.handover, msgspec.json.encode(left).decode(), durable=False)
    try:
        await attempt(wish, sys.argv[1:], os.environ)
        become(wish, left.descriptors)
    finally:
        place.handover.unlink()


def become(wish: Wish, descriptors: Sequence[int]) -> None:
    """Become that version. Returns only by a LauncherError, and everything is as it was.

    In the main thread, which the children are told to end with, and in the midst of the event loop: its own way out
    would end them.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, True)
    sys.stdout.flush()
    before = Path.cwd()
    try:
        os.chdir(wish.checkout)
        command = [*_command(wish, sys.argv[1:]), TAKING_OVER]
        os.execve(wish.python, command, _environment(wish, os.environ))  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.chdir(before)
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        raise LauncherError(f"the new version cannot be started ({error})") from error


def _command(wish: Wish, words: Sequence[str]) -> list[str]:
    """As the supervisor was started, but that version."""
    return [wish.python, "-P", "-m", "ops.supervisor", *(word for word in words if word != TAKING_OVER)]


def _environment(wish: Wish, environment: Mapping[str, str]) -> dict[str, str]:
    return {**environment, "PYTHONPATH": wish.checkout}
