"""Our methods are the specification's: read back by pamqp, which knows nothing of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands, frame
from pamqp.base import Frame

from workers.broker import methods
from workers.broker.frames import method

_TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
_FIELDS = st.dictionaries(
    _TEXT,
    st.recursive(
        st.one_of(_TEXT, st.booleans(), st.integers(-(2**63), 2**63 - 1)), lambda inner: st.dictionaries(_TEXT, inner)
    ),
    max_size=5,
)
_NUMBERS = st.integers(0, 65_535)


def _read(payload: bytes, channel: int = 7) -> Frame:
    data = method(channel, payload)
    used, read_channel, value = frame.unmarshal(data)
    assert (used, read_channel) == (len(data), channel)
    assert isinstance(value, Frame)
    return value


def _same(payload: bytes, expected: Frame) -> None:
    found = _read(payload)
    assert type(found) is type(expected)
    assert dict(found) == dict(expected)


@pytest.mark.parametrize(
    "name",
    [name for name, value in vars(methods).items() if isinstance(value, bytes) and not name.startswith("_")],
)
def test_every_number_is_the_one_of_its_name(name: str) -> None:
    class_name, method_name = name.split("_", 1)
    of_class: Any = getattr(commands, class_name.capitalize())
    expected = getattr(of_class, method_name.title().replace("_", ""))
    assert int.from_bytes(getattr(methods, name), "big") == expected.index


@given(_TEXT, _TEXT, _FIELDS)
def test_login(login: str, password: str, client: dict[str, Any]) -> None:
    expected = commands.Connection.StartOk(client, "PLAIN", f"\0{login}\0{password}", "en_US")
    _same(methods.start_ok(login, password, client), expected)


@given(_NUMBERS, st.integers(0, 2**32 - 1), _NUMBERS)
def test_tuning(channel_max: int, frame_max: int, heartbeat: int) -> None:
    _same(
        methods.tune_ok(channel_max, frame_max, heartbeat),
        commands.Connection.TuneOk(channel_max, frame_max, heartbeat),
    )


@given(_TEXT)
def test_virtual_host(name: str) -> None:
    found = _read(methods.connection_open(name))
    assert isinstance(found, commands.Connection.Open)
    assert found.virtual_host == name


def test_goodbyes() -> None:
    for payload, kind in (
        (methods.connection_close(), commands.Connection.Close),
        (methods.channel_close(), commands.Channel.Close),
    ):
        found = _read(payload)
        assert isinstance(found, kind)
        assert (found.reply_code, found.class_id, found.method_id) == (200, 0, 0)


def test_what_has_no_arguments_of_ours() -> None:
    assert isinstance(_read(methods.channel_open()), commands.Channel.Open)
    _same(methods.confirm_select(), commands.Confirm.Select(False))
    for payload, kind in (
        (methods.CONNECTION_CLOSE_OK, commands.Connection.CloseOk),
        (methods.CHANNEL_CLOSE_OK, commands.Channel.CloseOk),
    ):
        assert isinstance(_read(payload), kind)


@given(_NUMBERS)
def test_prefetch(prefetch: int) -> None:
    _same(methods.qos(prefetch), commands.Basic.Qos(0, prefetch, False))


@pytest.mark.parametrize("no_ack", [True, False])
def test_consuming(no_ack: bool) -> None:
    expected = commands.Basic.Consume(0, "credits.commands.3", "", False, no_ack, False, False, {})
    _same(methods.consume("credits.commands.3", no_ack=no_ack), expected)


@given(_TEXT.filter(lambda name: not name.startswith("amq.")), _FIELDS)
def test_declaring(arguments_name: str, arguments: dict[str, Any]) -> None:
    declared = commands.Queue.Declare(0, "credits.dead", False, True, False, False, False, {arguments_name: arguments})
    _same(methods.queue_declare("credits.dead", {arguments_name: arguments}), declared)
    _same(
        methods.queue_look("credits.dead"),
        commands.Queue.Declare(0, "credits.dead", True, False, False, False, False, {}),
    )


def test_binding() -> None:
    expected = commands.Queue.Bind(0, "credits.commands.3", "credits.commands", "1", False, {})
    _same(methods.queue_bind("credits.commands.3", "credits.commands", "1"), expected)


@given(_NUMBERS, st.binary(max_size=255))
def test_the_reason_of_a_close_is_read_whatever_is_in_it(code: int, text: bytes) -> None:
    payload = methods.CHANNEL_CLOSE + code.to_bytes(2) + bytes((len(text),)) + text + bytes(4)
    assert methods.reply(payload) == (code, text.decode(errors="replace"))


@pytest.mark.parametrize("name", ["x" * 256, "é" * 128])
def test_a_name_that_is_too_long_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="256"):
        methods.queue_look(name)


def test_a_table_holds_no_more_than_it_can() -> None:
    with pytest.raises(TypeError, match="no field"):
        methods.queue_declare("q", {"x": 1.5})
