"""What REST adds to a use: the key in the header, and how long the client waits."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import Struct

from api.credits.spending import wait_seconds
from api.credits.use_request import read_use
from api.credits.views import AdjustRequest, GrantRequest, RefundRequest, UseRequest
from api.errors import Refusal
from contracts.commands import Adjust, Grant, Refund, Use

USER = "01900000-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("", 5),
        ("wait=0", 0),
        ("wait=12", 12),
        ("Wait=12", 12),
        ('wait="7"', 7),
        ("respond-async, wait=3", 3),
        ("respond-async; x=1, wait = 3; y", 3),
        ("wait=31", 30),
        ("wait=999999999", 30),
        ("wait=-1", 5),
        ("wait=soon", 5),
        ("await=3", 5),
        ("wait=1.5", 5),
        ("wait=" + "9" * 50, 5),
    ],
)
def test_how_long_to_wait(prefer: str, seconds: float) -> None:
    assert wait_seconds(prefer) == seconds


def test_the_documented_body_is_the_command() -> None:
    assert _names(UseRequest) == _names(Use)
    assert _required(UseRequest) == _required(Use) - {"userId", "idempotencyKey"}


@pytest.mark.parametrize(("body", "command"), [(RefundRequest, Refund), (GrantRequest, Grant), (AdjustRequest, Adjust)])
def test_the_documented_bodies_of_services_are_the_commands(body: type[Struct], command: type[Struct]) -> None:
    assert _names(body) == _names(command)
    assert _required(body) == _required(command) - {"idempotencyKey"}


def _names(shape: type[Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(shape)}


def _required(shape: type[Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(shape) if field.required}


def test_one_of_several_keys_that_differ() -> None:
    body = b'{"amount":1,"appId":"a","description":"d"}'
    _, key = read_use(USER, body, [b"same", b"same"])
    assert key == "same"
    for headers in ([b"one", b"two"], [b"\xff"], [b""]):
        with pytest.raises(Refusal):
            read_use(USER, body, headers)


def test_no_key_is_a_new_one_each_time() -> None:
    body = b'{"amount":1,"appId":"a","description":"d","idempotencyKey":null}'
    assert read_use(USER, body, [])[1] != read_use(USER, body, [])[1]
