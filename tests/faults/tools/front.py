"""The HTTP front and the outbox's relay, kept alive."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from contracts.topology import FRONT_LOGIN
from ops import ports
from ops.instance import UNHINDERED, Instance
from ops.program import Program
from ops.programs import Programs, python
from ops.status import Board
from tests.faults.tools.balancer import Answer, Balancer
from tests.faults.tools.errors import ToolError
from tests.faults.tools.kept import READY_SECONDS, Kept
from tests.faults.tools.lives import recipe
from tests.faults.tools.versions import run_from
from tests.faults.tools.workers import partitions_of

_MODULE: Final = "tests.faults.front"


class Front:
    """Fronts and relays of one private instance."""

    def __init__(self, instance: Instance, folder: Path) -> None:
        self.amqp_url = instance.addresses.amqp_as(FRONT_LOGIN)
        self.database_url = instance.addresses.database_as("mana_api")
        self.redis_url = instance.addresses.redis
        self.fronts: list[Kept] = []
        self.relays: list[Kept] = []
        self.answers: Counter[Answer] = Counter()
        """What came back through balancers, of all fronts."""
        self._folder = folder
        self._board = Board(folder / "front.json")
        self._instance = instance

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Where the first front that is to be there answers."""
        if not self.present:
            raise ToolError("there is no front")
        return self.present[0].url

    @property
    def present(self) -> list[Kept]:
        """Those that are to be there."""
        return [front for front in self.fronts if not front.gone]

    def balancer(self) -> Balancer:
        """One more way to all of them."""
        return Balancer(self.fronts, self.answers)

    async def start(
        self,
        number: int = 1,
        *,
        crash: str | None = None,
        environment: Mapping[str, str] | None = None,
        amqp_url: str | None = None,
        database_url: str | None = None,
        redis_url: str | None = None,
        checkout: Path | None = None,
    ) -> list[Kept]:
        """Starts so many fronts, and waits until they are ready. A crash point is for the first life only.

        ``checkout``: another version's code.
        """
        given = {
            **(environment or {}),
            **({"AMQP_URL": amqp_url} if amqp_url else {}),
            **({"DATABASE_URL": database_url} if database_url else {}),
            **({"REDIS_URL": redis_url} if redis_url else {}),
        }
        first = len(self.fronts)
        chosen = list[int]()
        for _ in range(number):
            chosen.append(ports.choose(None, chosen))
        started = [
            self._born(f"api-{n}", "api", given, crash, port=port, checkout=checkout)
            for n, port in enumerate(chosen, first)
        ]
        self.fronts += started
        await asyncio.gather(*(front.ready(READY_SECONDS) for front in started))
        return started

    async def start_relay(
        self, *, crash: str | None = None, environment: Mapping[str, str] | None = None, amqp_url: str | None = None
    ) -> Kept:
        """Starts a relay, and waits until it is ready."""
        given = {**(environment or {}), **({"AMQP_URL": amqp_url} if amqp_url else {})}
        relay = self._born(f"relay-{len(self.relays)}", "relay", given, crash)
        self.relays.append(relay)
        await relay.ready(READY_SECONDS)
        return relay

    async def stop(self) -> dict[str, int]:
        """Drains all; the exit statuses by name."""
        left = [process for process in (*self.fronts, *self.relays) if not process.gone]
        statuses = await asyncio.gather(*(process.drain() for process in left))
        return {process.name: status for process, status in zip(left, statuses, strict=True)}

    def _born(
        self,
        name: str,
        kind: str,
        given: Mapping[str, str],
        crash: str | None,
        *,
        port: int = 0,
        checkout: Path | None = None,
    ) -> Kept:
        """``port``: the first that a front tries, not the one of another that starts at the same moment."""
        taken: dict[str, int] = {}
        programs = Programs(self._instance.addresses, partitions_of(self._instance), taken)

        def program() -> Program:
            made = programs.relay() if kind == "relay" else programs.api(taken.get("api", port))
            own = {**made.env, **UNHINDERED, "MANA_TEST_PROCESS": kind}
            return run_from(checkout, replace(made, name=name, argv=python(_MODULE), env=own))

        first = {**given, "MANA_CRASH_AT": crash} if crash else given
        return Kept(recipe(program, first, given), self._folder, self._board)
