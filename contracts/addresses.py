"""Where a reply may be sent: what the property ``reply_to`` may hold.

RabbitMQ puts a token in the place of ``amq.rabbitmq.reply-to``, but passes on any other text as the client wrote it, so
a token can be forged; and a node of version 3.10 closes the whole *connection* of whoever answers a forged one (seen on
3.10.8: 541 INTERNAL_ERROR for bad base64, for anything but a process id, for one of an unknown node, and for one of a
known node with a number or serial that no process can have). Versions from 4.0 on ignore forged tokens.
A real one, on 3.10 as on 4.2 (read in the sources of rabbit_direct_reply_to and rabbit_volatile_queue, seen on 3.10):

    amq.rabbitmq.reply-to. base64(131 88 118 LENGTH:16 "reply@" HASH NUMBER:32 SERIAL:32 CREATION:32) . base64(16 bytes)

which is an Erlang process id in the external term format (erlang.org/doc/apps/erts/erl_ext_dist, NEW_PID_EXT), its
node's name replaced by a hash. The older form with the node's name in it is refused: the broker would connect to it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection
from functools import lru_cache
from typing import Final

from msgspec import Struct

from contracts.topology import DIRECT_REPLY_TO, is_ours

_SERVER_NAMED: Final = "amq.gen-"
"""Begins the names that the broker itself gives to clients' queues."""
_PROCESS: Final = re.compile(rb"\x83Xv\x00(?P<length>.)reply@(?P<node>0|[1-9][0-9]{0,8})(?P<rest>.{12})", re.DOTALL)
_NODE_NAME_AT: Final = 5
_KEY_BYTES: Final = 16
_NUMBER_BITS: Final = 15
_SERIAL_BITS: Final = 13
"""The widths of a process's number and serial up to Erlang/OTP 25: what runs the versions that forged tokens hurt."""


class ReplyToken(Struct, frozen=True):
    """A direct reply-to token, taken apart: the hash of its node's name, and which process there."""

    node: int
    number: int
    serial: int
    creation: int

    def is_safe(self, nodes: Collection[int]) -> bool:
        """Whether a broker that forged tokens hurt could have made it, given the hashes of that broker's nodes."""
        return self.node in nodes and not self.number >> _NUMBER_BITS and not self.serial >> _SERIAL_BITS


def is_reply_address(reply_to: str | None, nodes: Collection[int] | None = None) -> bool:
    """Whether a reply may be sent there; true for ``None`` and ``""``, with which none is asked for.

    False for our own queues, for exchanges (``queue|exchange``), for names that no client's queue can have, and for
    what only imitates a direct reply-to token. ``nodes`` are the node hashes (:func:`reply_token`) of a broker that
    forged tokens hurt; ``None`` for a broker that ignores them.
    """
    if not reply_to:
        return True
    if reply_to.startswith(DIRECT_REPLY_TO):
        token = reply_token(reply_to)
        return token is not None and (nodes is None or token.is_safe(nodes))
    return _may_be_clients_queue(reply_to)


@lru_cache(maxsize=1024)  # a client keeps its token for as long as its channel lives
def reply_token(address: str) -> ReplyToken | None:
    """Takes a direct reply-to token apart; ``None`` for what has not exactly the broker's shape."""
    prefix, _, rest = address.partition(f"{DIRECT_REPLY_TO}.")
    process, _, key = rest.partition(".")
    if prefix or len(_unbase64(key)) != _KEY_BYTES:
        return None
    term = _unbase64(process)
    found = _PROCESS.fullmatch(term)
    if found is None or found["length"][0] != found.start("rest") - _NODE_NAME_AT:
        return None
    rest_bytes = found["rest"]
    number, serial, creation = (int.from_bytes(rest_bytes[at : at + 4], "big") for at in (0, 4, 8))
    return ReplyToken(int(found["node"]), number, serial, creation)


def _may_be_clients_queue(name: str) -> bool:
    if "|" in name or "\0" in name or is_ours(name):
        return False
    return name.startswith(_SERVER_NAMED) or not name.startswith("amq.")


def _unbase64(text: str) -> bytes:
    """The bytes; ``b""`` for what is no base64 as an encoder writes it."""
    try:
        decoded = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return b""
    return decoded if base64.b64encode(decoded).decode() == text else b""
