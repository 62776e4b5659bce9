"""Messages that no decent client sends, and what the contract says becomes of each."""

from __future__ import annotations

import base64
import gzip
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from tests.e2e.spoilt import Spoilt, header, header_table, text

Fate = Literal["answered", "answered and kept", "kept", "refused by the broker"]
"""``answered``: with ``invalid_request``. ``kept``: a copy lies in ``credits.dead``."""

_USER: Final = b"USER"
_GOOD: Final = b'{"userId":"USER","amount":1,"appId":"chat","description":"d","idempotencyKey":"poison"}'
_NO_UTF_8: Final = b"\xff\xfe\xc3"
_MIB: Final = 1 << 20


@dataclass(frozen=True)
class Poison:
    """One kind. Properties stand as on the wire; those that are not named are what a decent client sets.

    ``routing_key``: the user's id where none is named.
    """

    name: str
    fate: Fate
    body: bytes = _GOOD
    properties: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    routing_key: bytes | None = None

    def message(self, user: str, id_: str, login: str) -> bytes:
        """The frames of one such message; ``id_`` is its message id and its correlation id, unless these are spoilt."""
        properties = {
            "content_type": text(b"application/json"),
            "delivery_mode": b"\x02",
            "message_id": text(id_.encode()),
            "reply_to": text(b"amq.rabbitmq.reply-to"),
            "type": text(b"credits.use"),
            "user_id": text(login.encode()),
            **self.properties,
        }
        routing_key = user.encode() if self.routing_key is None else self.routing_key
        return Spoilt(properties).frames(routing_key, id_.encode(), self.body.replace(_USER, user.encode()))


def forged_token(node: int, number: int = 7) -> bytes:
    """A direct reply-to token of the broker's shape, for a process of the node with this hash."""
    name = b"reply@%d" % node
    term = b"\x83Xv" + struct.pack(">H", len(name)) + name + struct.pack(">III", number, 0, 1)
    return b"amq.rabbitmq.reply-to." + base64.b64encode(term) + b"." + base64.b64encode(bytes(16))


def _with(name: str, value: bytes) -> bytes:
    """The good body with another value (JSON) for a field."""
    old = {"amount": b'"amount":1', "description": b'"description":"d"'}[name]
    return _GOOD.replace(old, b'"%s":%s' % (name.encode(), value))


def _deep_table(levels: int) -> bytes:
    fields = b""
    for _ in range(levels):
        fields = header(b"a", b"F", header_table(fields))
    return fields


def _long_header(size: int) -> bytes:
    return header_table(header(b"a", b"S", struct.pack(">I", size) + b"x" * size))


def _unreadable(name: str, body: bytes = _GOOD, **properties: bytes) -> Poison:
    return Poison(name, "answered and kept", body, properties)


def _reply_to(name: str, reply_to: bytes) -> Poison:
    return Poison(f"reply_to: {name}", "kept", properties={"reply_to": text(reply_to)})


POISONS: Final = (
    _unreadable("not JSON", b"hello"),
    _unreadable("cut off", _GOOD[:-1]),
    _unreadable("a list", b"[]"),
    _unreadable("empty", b""),
    _unreadable("NaN", _with("amount", b"NaN")),
    _unreadable("invalid UTF-8 in the body", _with("description", b'"\xff"')),
    _unreadable("30,000 levels", b"[" * 30_000 + b"]" * 30_000),
    _unreadable("10,000 levels of objects", b'{"a":' * 10_000),
    _unreadable(
        "5,000 levels of metadata", _GOOD[:-1] + b',"metadata":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}"
    ),
    _unreadable("a body of 1,000,000 bytes", _GOOD + b" " * 1_000_000),
    _unreadable("a compressed bomb", gzip.compress(b" " * 10 * _MIB), content_encoding=text(b"gzip")),
    _unreadable("a compressed bomb that says nothing of it", gzip.compress(b"[" * 10 * _MIB)),
    _unreadable("unknown type", type=text(b"credits.lend")),
    _unreadable("invalid UTF-8 in type", type=text(_NO_UTF_8)),
    _unreadable("invalid UTF-8 in correlation_id", correlation_id=text(_NO_UTF_8)),
    _unreadable("invalid UTF-8 in message_id", message_id=text(_NO_UTF_8)),
    _unreadable("NUL in message_id", message_id=text(b"a\0b")),
    _unreadable("a timestamp of 2^62", timestamp=(2**62).to_bytes(8, "big")),
    _unreadable("headers 2,000 levels deep, no JSON", b"{", headers=header_table(_deep_table(2_000))),
    _unreadable("headers of 16,000 bytes, no JSON", b"{", headers=_long_header(16_000)),
    Poison("invalid UTF-8 in routing_key", "answered and kept", routing_key=_NO_UTF_8),
    _reply_to("invalid UTF-8", _NO_UTF_8),
    _reply_to("a token without base64", b"amq.rabbitmq.reply-to.!!!!.AAAA"),
    _reply_to("a token of no process", b"amq.rabbitmq.reply-to.aGVsbG8=." + base64.b64encode(bytes(16))),
    _reply_to("a token of the right shape, of another node", forged_token(12_345_678)),
    Poison("amount 2^63", "answered", _with("amount", b"9223372036854775808")),
    Poison("amount 1e999", "answered", _with("amount", b"1e999")),
    Poison("amount of 5,000 digits", "answered", _with("amount", b"1" + b"0" * 5_000)),
    Poison("a body of 10 MB", "refused by the broker", b" " * 10 * _MIB),
    Poison("a header of 1 MB", "refused by the broker", properties={"headers": _long_header(_MIB)}),
)
"""Of the plan's S32."""
