"""Takes the address that a process is to listen on, before anything else starts: a wrong one is told in a sentence."""

from __future__ import annotations

import errno
import socket
from typing import Any, Final

from contracts.handed_sockets import handed

_REASONS: Final = {
    errno.EADDRINUSE: "{port_setting} names port {port}, which another program listens on",
    errno.EACCES: "{port_setting} names port {port}, which this user may not listen on",
    errno.EPERM: "{port_setting} names port {port}, which this user may not listen on",
}
_WRONG_HOST: Final = "MANA_BIND_HOST is no address of this machine, such as 127.0.0.1 or 0.0.0.0"


class CannotListen(Exception):  # noqa: N818 - says what the settings are
    """The address cannot be listened on; the message names the setting."""


class PortRefused(CannotListen):
    """The port is the reason: another one would do."""


def opened(host: str, port: int, port_setting: str) -> list[socket.socket]:
    """The sockets that a launcher handed to this process, else bound ones. Raises ``CannotListen``."""
    try:
        return handed() or bind(host, port, port_setting)
    except ValueError as error:
        raise CannotListen(str(error)) from error


def bind(host: str, port: int, port_setting: str) -> list[socket.socket]:
    """Sockets on each address of the host; nobody is answered until a server listens. Raises ``CannotListen``."""
    bound: list[socket.socket] = []
    failure: OSError | None = None
    for family, address in _addresses(host, port):
        try:
            bound.append(_bound(family, address))
        except OSError as error:
            failure = error
    if failure is not None and (not bound or failure.errno in _REASONS):
        for one in bound:
            one.close()
        sentence = _REASONS.get(failure.errno or 0)
        if sentence is None:
            raise CannotListen(_WRONG_HOST) from failure
        raise PortRefused(sentence.format(port_setting=port_setting, port=port)) from failure
    return bound


def _addresses(host: str, port: int) -> list[tuple[int, Any]]:
    """What the host's name stands for; ``localhost`` is often two."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise CannotListen(_WRONG_HOST) from error
    return list(dict.fromkeys((int(family), address) for family, _, _, _, address in found))


def _bound(family: int, address: Any) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
    except BaseException:
        one.close()
        raise
    return one
