"""The sockets that our own processes listen on: opened before a process starts, and kept when it ends.

So the port that was told stays the process's own. Nobody else can listen there between choice and start, nor while a
process is started again: who answers there is ours, and who asks too early waits in the kernel's queue.
"""

import os
import socket
from collections.abc import Collection, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from api.listening import CannotListen, PortRefused, bind
from contracts.handed_sockets import SETTING
from ops import ports
from ops.errors import LauncherError
from ops.program import Program


@dataclass(frozen=True)
class Door:
    """Where one process listens: a port, and the descriptors of the sockets there."""

    port: int
    descriptors: tuple[int, ...]


class Doors:
    """The open ones of one instance, by the names of their processes: on `host`, but those of the loopback alone."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._open: dict[str, tuple[int, list[socket.socket]]] = {}

    def open(self, name: str, candidates: Iterable[int], others: Collection[int], *, loopback: bool = False) -> Door:
        """The door of this process: the one that is open already, else at the first candidate that can be had and is
        none of `others`. Raises LauncherError when there is none.
        """
        if name not in self._open:
            self._open[name] = _first(ports.LOOPBACK if loopback else self._host, candidates, others)
        port, sockets = self._open[name]
        return Door(port, tuple(one.fileno() for one in sockets))

    def all(self) -> dict[str, Door]:
        """The open ones."""
        return {
            name: Door(port, tuple(one.fileno() for one in sockets)) for name, (port, sockets) in self._open.items()
        }

    def adopt(self, left: Mapping[str, Door]) -> None:
        """Those that this process held open before it became another version of itself."""
        for name, door in left.items():
            for descriptor in door.descriptors:
                os.set_inheritable(descriptor, False)
            self._open[name] = (door.port, [socket.socket(fileno=descriptor) for descriptor in door.descriptors])

    def close(self, name: str) -> None:
        """Give the port up, as far as we are concerned: its process may still listen."""
        for one in self._open.pop(name, (0, ()))[1]:
            one.close()


def _first(host: str, candidates: Iterable[int], others: Collection[int]) -> tuple[int, list[socket.socket]]:
    for port in candidates:
        if port not in others and (sockets := _listening(host, port)):
            return port, sockets
    raise ports.none_left(host)


def _listening(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on every address of the host; none where somebody else does."""
    try:
        sockets = bind(host, port, "PORT")
    except PortRefused:
        return []
    except CannotListen as error:
        raise LauncherError(f"{error}.") from error
    try:
        for one in sockets:
            # Two may bind a port, but only one of them can listen: until here it is not ours.
            one.listen()
    except OSError:
        for one in sockets:
            one.close()
        return []
    return sockets


@contextmanager
def of_one_life(program: Program) -> Generator[tuple[Program, str | None]]:
    """The program with a socket of this life's own, and the URL there: two lives of it may share a door, and only here
    it is sure which of them answers.

    The socket is the process's alone once it is started: nobody answers there when it has ended.
    """
    if program.ready_path is None:
        yield program, None
        return
    with socket.create_server((ports.LOOPBACK, 0)) as own:
        asked = f"http://{ports.LOOPBACK}:{own.getsockname()[1]}{program.ready_path}"
        descriptors = (*program.descriptors, own.fileno())
        env = {**program.env, SETTING: ",".join(map(str, descriptors))}
        yield replace(program, env=env, descriptors=descriptors), asked
