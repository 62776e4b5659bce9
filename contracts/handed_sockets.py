"""Listening sockets that a launcher opens for the process that it starts, and keeps when that process ends."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Final

SETTING: Final = "MANA_LISTEN_FDS"
"""The descriptors of the sockets, comma-separated; not set where the process is to open its own."""


def handed(environment: Mapping[str, str] = os.environ) -> list[socket.socket]:
    """The sockets that this process was started with, none where it was started without. Raises ``ValueError``."""
    named = environment.get(SETTING, "")
    try:
        return [_listening(int(descriptor)) for descriptor in named.split(",")] if named else []
    except (OSError, ValueError) as error:
        raise ValueError(f"{SETTING} names {named}, which are no sockets that this process was handed") from error


def _listening(descriptor: int) -> socket.socket:
    one = socket.socket(fileno=descriptor)
    if not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        one.detach()  # it is somebody else's to close
        raise ValueError("it does not listen")
    return one
