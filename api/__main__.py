"""``python -m api``: the HTTP front."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import uvloop
from pydantic import ValidationError

from api import production, wiring
from api.listening import CannotListen, opened
from api.serving import Farewell, serve
from api.settings import Settings, complaints
from contracts import logs, tracing

if TYPE_CHECKING:
    from contracts.spans import Spans

HAND_OVER_SECONDS: Final = 0.0005
"""A thread that has hashed a password waits for the interpreter so long at most while the event loop is busy; Python's
own 5 ms, twice for each hash of 18 ms, cost sign-ins a share of what the thread can do (`bench auth`)."""


async def _run(settings: Settings, spans: Spans | None, sockets: Sequence[socket.socket]) -> None:
    async with wiring.front(settings, spans) as front:
        farewell = Farewell(front.leave, settings.stop_linger_seconds, front.stop_waiting)
        await serve(front.app, sockets, farewell)


def main() -> int:
    """Exit status 0 after a stop that was asked for, 2 for wrong settings and for dangerous ones."""
    try:
        settings = Settings()  # pyright: ignore[reportCallIssue] - the environment gives them
        wiring.imported_key(settings)
        spans = tracing.spans("mana-front", f"{socket.gethostname()}:{os.getpid()}")
    except ValidationError as error:
        sys.stderr.write("\n".join(complaints(error)) + "\n")
        return 2
    except ValueError as error:
        sys.stderr.write(f"{error}.\n")
        return 2
    if dangers := production.dangers(settings):
        sys.stderr.write("\n".join(dangers) + "\n")
        return 2
    logs.configure("api", settings.log_level, settings.log_format)
    sys.setswitchinterval(HAND_OVER_SECONDS)
    try:
        uvloop.run(_run(settings, spans, opened(settings.mana_bind_host, settings.port, "PORT")))
    except (CannotListen, wiring.WrongSecret) as error:
        sys.stderr.write(f"{error}.\n")
        return 2
    finally:
        if spans is not None:
            spans.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
