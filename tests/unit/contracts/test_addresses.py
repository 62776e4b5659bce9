"""Goal: real reply addresses pass, and nothing that could hurt us or others does.

The forged tokens are those that were sent to a RabbitMQ 3.10.8, most of which made it close the connection.
"""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.addresses import ReplyToken, is_reply_address, reply_token
from contracts.topology import broker_topology
from tests.unit.contracts.examples import TOKEN

PREFIX = "amq.rabbitmq.reply-to."
KEY = TOKEN.rpartition(".")[2]
NODE = 21471428


def term(node: bytes, number: int = 922, serial: int = 0, creation: int = 0x6B04F739) -> bytes:
    """An Erlang process id (NEW_PID_EXT) on a node of that name."""
    return b"\x83Xv" + struct.pack(">H", len(node)) + node + struct.pack(">III", number, serial, creation)


def token(raw: bytes, key: str = KEY) -> str:
    return f"{PREFIX}{base64.b64encode(raw).decode()}.{key}"


REAL = term(b"reply@%d" % NODE)

FORGED = {
    "the name itself": "amq.rabbitmq.reply-to",
    "no dot": "amq.rabbitmq.reply-tox",
    "nothing": PREFIX,
    "no key": TOKEN.rpartition(".")[0],
    "empty key": token(REAL, ""),
    "short key": token(REAL, "QUJD"),
    "long key": token(REAL, base64.b64encode(b"x" * 17).decode()),
    "key no base64": token(REAL, "!" * 24),
    "key no ASCII": token(REAL, "é" * 24),
    "three parts": f"{TOKEN}.x",
    "base64 of another alphabet": TOKEN.replace("/", "_").replace("+", "-").replace("==.", "==-."),
    "no base64": f"{PREFIX}!!!!.{KEY}",
    "half base64": f"{PREFIX}abc.{KEY}",
    "no padding": TOKEN.replace("==.", "."),
    "space inside": TOKEN.replace("g1h2", "g1 h2"),
    "line end": TOKEN.replace("==.", "==\n."),
    "line end behind": f"{TOKEN}\n",
    "no canonical base64": TOKEN.replace("OQ==.", "OR==."),
    "no term": token(b"hello"),
    "an integer": token(b"\x83a\x01"),
    "an atom": token(b"\x83d\x00\x03foo"),
    "a list": token(b"\x83j"),
    "a tuple": token(b"\x83h\x02a\x01a\x02"),
    "a function": token(b"\x83p"),
    "compressed": token(b"\x83P\xff\xff\xff\xffx"),
    "cut": token(REAL[:-2]),
    "extended": token(REAL + b"\0\0"),
    "old process id": token(b"\x83g" + REAL[2:-4] + b"\0"),
    "small atom": token(b"\x83Xw\x07reply@1" + REAL[-12:]),
    "wrong length of the name": token(REAL[:4] + b"\x0f" + REAL[5:]),
    "a node of the sender's choice": token(term(b"evil@example.org")),
    "our own node by its name": token(term(b"mana@localhost")),
    "another prefix": token(term(b"other@%d" % NODE)),
    "no hash": token(term(b"reply@")),
    "no number": token(term(b"reply@abc")),
    "a negative hash": token(term(b"reply@-5")),
    "zeros in front": token(term(b"reply@0021471428")),
    "too large a hash": token(term(b"reply@9999999999")),
}


@pytest.mark.parametrize("address", FORGED.values(), ids=FORGED)
def test_forged_tokens(address: str) -> None:
    assert not is_reply_address(address)


def test_real_tokens() -> None:
    assert is_reply_address(TOKEN)
    assert is_reply_address(TOKEN, nodes={NODE})
    assert reply_token(TOKEN) == ReplyToken(NODE, number=922, serial=0, creation=0x6B04F739)
    # From the examples of RabbitMQ's own client for 4.2, with a key as that version makes it.
    assert is_reply_address(f"{PREFIX}g1h2AA5yZXBseUA2ODc4MTMzNAAAcEoAAAAAaS8eQg==.{KEY}")


@given(
    st.integers(0, 2**27 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(1, 2**32 - 1),
    st.binary(min_size=16, max_size=16),
)  # fmt: skip
def test_every_token_that_a_broker_can_make(node: int, number: int, serial: int, creation: int, key: bytes) -> None:
    made = token(term(b"reply@%d" % node, number, serial, creation), base64.b64encode(key).decode())
    assert len(made) <= 255
    assert reply_token(made) == ReplyToken(node, number, serial, creation)
    assert is_reply_address(made)
    assert is_reply_address(made, nodes={node}) == (number < 2**15 and serial < 2**13)
    assert not is_reply_address(made, nodes={node + 1})


def test_what_hurts_brokers_before_4_0_though_its_shape_is_right() -> None:
    unknown_node, no_such_number, no_such_serial = (
        token(term(b"reply@12345678")),
        token(term(b"reply@%d" % NODE, number=2**15)),
        token(term(b"reply@%d" % NODE, serial=2**13)),
    )
    for address in (unknown_node, no_such_number, no_such_serial):
        assert is_reply_address(address)
        assert not is_reply_address(address, nodes={NODE})


@pytest.mark.parametrize("queue", [*broker_topology(33).queues], ids=lambda queue: queue.name)
def test_our_own_queues(queue: object) -> None:
    assert not is_reply_address(getattr(queue, "name", ""))


@pytest.mark.parametrize(
    "address",
    [
        "credits.commands",
        "credits.events",
        "stripe.events",
        "q|exchange",
        "|",
        "a\0b",
        "amq.topic",
        "amq.rabbitmq.trace",
    ],
)
def test_other_addresses_that_are_not_the_clients(address: str) -> None:
    assert not is_reply_address(address)


@pytest.mark.parametrize(
    "address", [None, "", "replies", "my.app/replies", "amq.gen-JzTY20BRgKO-HjmUJj0wLg", "é", "credits"]
)
def test_clients_own_queues(address: str | None) -> None:
    assert is_reply_address(address)


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_no_text_raises(address: str) -> None:
    is_reply_address(address)
    is_reply_address(PREFIX + address)
