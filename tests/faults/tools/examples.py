"""The subscribers of ``examples/`` that keep balances, run as their readers would run them: ended, killed, again."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from ops.ending import end
from ops.place import CHECKOUT
from tests import npm
from tests.faults.tools.errors import ToolError
from tests.faults.tools.telling import until

EXAMPLES: Final = CHECKOUT / "examples"
READING: Final = "reading "
"""What each of them says when it has a connection, and where it goes on."""
_READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0


class Figures(Struct, frozen=True, rename="camel"):
    """A user as a subscriber knows it."""

    sequence: int
    balance: int
    free_credits_remaining: int


class Kept(Struct, frozen=True):
    """What a subscriber has stored: ``events`` without the ``repeats``, ``gaps`` seen among a user's events.

    ``place``: where it is in the log, of those that read it, each in its own words.
    """

    users: dict[str, Figures] = {}
    events: int = 0
    repeats: int = 0
    gaps: int = 0
    place: int | tuple[int, str] | None = None


_decoder: Final = msgspec.json.Decoder(Kept)


class Example:
    """One of them. Its complaints, and what it says, are in ``log``."""

    def __init__(
        self,
        arguments: list[str],
        folder: Path,
        amqp_url: str,
        *more: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """``arguments``: the program; it is given the file to keep its state in, and ``more``."""
        self.name = Path(arguments[-1]).name
        self.starts = 0
        self.log = folder / f"{self.name}.log"
        self._file = folder / f"{self.name}.json"
        self._arguments = [*arguments, str(self._file), *more]
        self._environment = {"PATH": os.environ["PATH"], "MANA_AMQP_URL": amqp_url, **(environment or {})}
        self._child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns once it reads."""
        before = self._readings()
        with self.log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *self._arguments, cwd=CHECKOUT, env=self._environment, stdout=log, stderr=log
            )
        self.starts += 1

        async def reads() -> bool:
            return self._readings() > before or self._running().returncode is not None

        await until(reads, f"{self.name} reads", _READY_SECONDS, self.log)

    async def end(self) -> int:
        """SIGTERM; its exit status."""
        child = self._running()
        if not await end(child, _STOP_SECONDS) or child.returncode is None:
            raise ToolError(f"{self.name} did not end when it was told to")
        return child.returncode

    async def kill(self) -> None:
        """SIGKILL."""
        child = self._running()
        child.send_signal(signal.SIGKILL)
        await child.wait()

    async def close(self) -> None:
        """To be called at the end of the run, whatever it came to: no process is left."""
        if self._child is not None and self._child.returncode is None:
            await self.kill()

    def kept(self) -> Kept:
        """What its file holds now."""
        return _decoder.decode(self._file.read_bytes()) if self._file.exists() else Kept()

    def complaints(self) -> list[str]:
        """The gaps that it has told of."""
        return [line for line in self._lines() if line.startswith("gap")]

    def _readings(self) -> int:
        return sum(line.startswith(READING) for line in self._lines())

    def _lines(self) -> list[str]:
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []

    def _running(self) -> asyncio.subprocess.Process:
        if self._child is None:
            raise ToolError(f"{self.name} was never started")
        return self._child


def in_pika(folder: Path, amqp_url: str) -> Example:
    """Bare pika, on the log. Raises ``MissingError``."""
    if find_spec("pika") is None:
        raise npm.MissingError("pika is missing: the first ./mana test installs it")
    return Example([sys.executable, str(EXAMPLES / "balances_pika.py")], folder, amqp_url)


def with_our_client(folder: Path, amqp_url: str) -> Example:
    """Our client, on the log. It drops repeats itself, but for those of what it saw in an earlier life."""
    sources = {"PYTHONPATH": str(CHECKOUT / "clients" / "python")}
    return Example([sys.executable, str(EXAMPLES / "balances.py")], folder, amqp_url, environment=sources)


def in_javascript(queue: str, folder: Path, amqp_url: str) -> Example:
    """Bare amqplib, with a queue of its own, in a copy of the example beside its library. Raises ``MissingError``."""
    copy = folder / "javascript"
    shutil.copytree(CHECKOUT / "clients" / "js", copy / "clients" / "js", ignore=shutil.ignore_patterns("node_modules"))
    (copy / "examples").mkdir()
    shutil.copy(EXAMPLES / "balances.mjs", copy / "examples")
    npm.install(copy / "clients" / "js")
    return Example([str(npm.node()), str(copy / "examples" / "balances.mjs")], folder, amqp_url, queue)
