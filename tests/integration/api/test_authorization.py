"""The Authorization header in every shape but a good one, before every route that asks for it.

The number in brackets is that of SECURITY.md's checklist.
"""

from __future__ import annotations

import json
import socket
from itertools import chain
from typing import Final
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.api.process import Process
from tests.integration.api.users import BASE, SignedIn, sign_up

ID: Final = b"0190f2a0-7c1b-7000-8000-000000000001"
HUGE: Final = 100_000
"""Bytes of a header that are far more than a token has."""

Fields = list[tuple[bytes, bytes]]
"""Header fields of a request; ``GOOD`` in one stands for a token that is good."""
GOOD: Final = b"<good>"

_SENDABLE: Final = (0x09, *range(0x20, 0x7F), *range(0x80, 0x100))
"""What HTTP lets stand in a field's value (RFC 9110, 5.5)."""
_SCHEMES: Final = (
    *(b"Basic", b"Digest", b"Token", b"JWT", b"DPoP", b"Bearer:", b"Bearer,", b"Bearer\t", b"B\xe9arer", b"bearer="),
    b"",
)
_SPOILT: Final = (
    *(GOOD + b"x", b"x" + GOOD, GOOD + b".", GOOD + b" " + GOOD, GOOD + b"," + GOOD, b" " + GOOD, b'"' + GOOD + b'"'),
    *(GOOD + b"\xff", b"e30.e30.e30", b"null", b"", b"."),
)
_OTHERS: Final[tuple[tuple[tuple[bytes, bytes], ...], ...]] = (
    ((b"Cookie", b"__Host-mana_refresh=" + GOOD),),
    ((b"Cookie", b"access_token=" + GOOD + b"; Authorization=Bearer " + GOOD),),
    ((b"X-Mana-Session", b"cookie"), (b"Sec-Fetch-Site", b"same-origin")),
    ((b"Proxy-Authorization", b"Bearer " + GOOD),),
    ((b"X-Authorization", b"Bearer " + GOOD), (b"Authorization_", b"Bearer " + GOOD)),
)
"""What may stand beside it, fields that belong together together."""
_BEGINNINGS: Final = (b"Bearer ", b"Basic ", b"")
_FILLERS: Final = (b"x", b" ", b".", b"\xff", b"a.")


def _huge(beginning: bytes, filler: bytes) -> bytes:
    return (beginning + filler * HUGE)[:HUGE]


_text = st.lists(st.sampled_from(_SENDABLE), max_size=60).map(bytes)
_values = st.one_of(
    _text,
    st.just(GOOD),
    st.tuples(st.sampled_from(_SCHEMES), st.one_of(_text, st.just(GOOD))).map(b" ".join),
    st.tuples(st.just(b"Bearer"), st.one_of(_text, st.sampled_from(_SPOILT))).map(b" ".join),
    st.builds(_huge, st.sampled_from(_BEGINNINGS), st.sampled_from(_FILLERS)),
)
_names = st.sampled_from((b"Authorization", b"authorization", b"AUTHORIZATION"))
_one_or_none = st.lists(st.tuples(_names, _values), max_size=1)
_several = st.lists(st.tuples(_names, st.one_of(_values, st.just(b"Bearer " + GOOD))), min_size=2, max_size=4)
_others = st.lists(st.sampled_from(_OTHERS), max_size=3, unique=True).map(lambda groups: [*chain(*groups)])


@pytest.fixture(scope="module")
async def guarded(http: httpx.AsyncClient) -> list[tuple[bytes, bytes]]:
    """Method and path of each operation that is for signed-in users, by the document."""
    document = (await http.get("/openapi.json")).json()
    return [
        (method.upper().encode(), _filled(path))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if {"bearer": []} in operation.get("security", ()) or {"service": []} in operation.get("security", ())
    ]


@pytest.fixture(scope="module")
async def stranger(http: httpx.AsyncClient) -> SignedIn:
    """Whose token is the good one. The account need not be open: nothing is let through to it."""
    return await sign_up(http)


def _filled(path: str) -> bytes:
    return path.replace("{userId}", ID.decode()).replace("{", "").replace("}", "").encode()


def test_every_guarded_route_is_among_them(guarded: list[tuple[bytes, bytes]]) -> None:
    assert len(guarded) > 30
    assert (b"GET", f"{BASE}/credits/balance".encode()) in guarded
    assert (b"POST", f"{BASE}/admin/users/".encode() + ID + b"/ban") in guarded


def test_no_header_but_a_good_one_lets_anybody_in(
    api: Process, guarded: list[tuple[bytes, bytes]], stranger: SignedIn
) -> None:
    """[61]: two of them, another scheme, any bytes, 100 kB, with the good token in a cookie or in other headers."""
    address = urlsplit(api.url)
    good = stranger.access_token.encode()

    @settings(max_examples=400)
    @given(route=st.sampled_from(guarded), own=st.one_of(_one_or_none, _several), others=_others)
    def refused(route: tuple[bytes, bytes], own: Fields, others: Fields) -> None:
        sent = [(name, value.replace(GOOD, good)) for name, value in own + others]
        status, head, body = _exchange(address.hostname, address.port, *route, sent)
        assert status == 401, (status, body)
        assert b"content-type: application/problem+json\r\n" in head
        assert b"www-authenticate: Bearer" in head
        assert json.loads(body)["code"] == "unauthorized"
        assert good not in body

    refused()


def test_bytes_that_are_no_http_let_nobody_in(
    api: Process, guarded: list[tuple[bytes, bytes]], stranger: SignedIn
) -> None:
    """[61]: what no header may hold is refused by the HTTP server itself, or as the rest is; never an error of ours."""
    address = urlsplit(api.url)
    good = stranger.access_token.encode()

    @settings(max_examples=100)
    @given(
        route=st.sampled_from(guarded),
        before=st.binary(max_size=20),
        control=st.sampled_from([b"\0", b"\r", b"\n", b"\x0b", b"\x7f", b"\r\n ", b"\r\n\t"]),
        after=st.one_of(st.binary(max_size=20), st.just(good)),
    )
    def refused(route: tuple[bytes, bytes], before: bytes, control: bytes, after: bytes) -> None:
        value = b"Bearer " + before + control + after
        status, _, body = _exchange(address.hostname, address.port, *route, [(b"Authorization", value)])
        assert status in {400, 401, 431}, (status, body)
        assert good not in body

    refused()


def _exchange(
    host: str | None, port: int | None, method: bytes, path: bytes, fields: Fields
) -> tuple[int, bytes, bytes]:
    """Status, head in lower-case names, and body of the answer, on a connection of its own."""
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: x", b"Connection: close", b"Content-Length: 0"]
    lines += [name + b": " + value for name, value in fields]
    with socket.create_connection((host or "", port or 0), timeout=30) as connection:
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), head + b"\r\n", body
