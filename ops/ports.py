"""Ports that are free now.

Only below 32768: above it the kernel hands ports to outgoing connections, and a server that restarts would meet
someone else's socket on its own port.
"""

import os
import random
import socket
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from ops.errors import LauncherError

_LOWEST = 10_000
_CEILING = 32_768
LOOPBACK = "127.0.0.1"
_MARKS_MAX: Final = 256
_marks: Final = deque[int]()
"""Descriptors on the ports that this process has chosen last, while it lives: whoever they are for may not listen there
yet."""


def is_free(port: int) -> bool:
    """Whether nobody listens on `port` of the loopback interface, nor on all interfaces."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose(preferred: int | None, taken: Collection[int]) -> int:
    """`preferred` if it is free, else any free port that is not in `taken`.

    Raises LauncherError when there is none.
    """
    return first_free(anywhere(preferred), taken)


def anywhere(preferred: int | None) -> Iterator[int]:
    """`preferred`, then others: random, and none that another process has just chosen, so that instances that start
    side by side do not want the same one."""
    if preferred:
        yield preferred
    yield from (port for port in random.sample(range(_LOWEST, _CEILING), 200) if _marked(port))


def _marked(port: int) -> bool:
    """Marks the port as chosen, by a socket for datagrams, of which we have no other use; False where it is marked."""
    mark = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        mark.bind((LOOPBACK, port))
    except OSError:
        mark.close()
        return False
    _marks.append(mark.detach())
    if len(_marks) > _MARKS_MAX:
        os.close(_marks.popleft())
    return True


def upwards(preferred: int) -> Iterable[int]:
    """`preferred`, then the next ones above it: for the port that people type."""
    return range(preferred, _CEILING)


def first_free(candidates: Iterable[int], taken: Collection[int]) -> int:
    """The first candidate that is free and not in `taken`. Raises LauncherError when there is none."""
    for port in candidates:
        if port not in taken and is_free(port):
            return port
    raise none_left(LOOPBACK)


def none_left(host: str) -> LauncherError:
    """What to say where no port is left."""
    return LauncherError(f"No free port below 32768 was found on {host}: stop something that listens there.")
