"""An export on its way: what fails before it begins is answered as usual, and nobody holds it open for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest
from starlette.types import Message, Scope

from api.auth.me import sending
from api.auth.me.sending import ExportResponse
from api.errors import Unavailable

SCOPE: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}


@dataclass
class Client:
    """Reads what is sent; ``stalls`` after the first piece, or is ``gone`` after it."""

    stalls: bool = False
    gone: bool = False
    got: list[Message] = field(default_factory=list[Message])

    async def send(self, message: Message) -> None:
        """Takes a message, or never does."""
        self.got.append(message)
        if self.stalls and len(self.got) > 1:
            await asyncio.Event().wait()

    async def receive(self) -> Message:
        """Says that it is gone, or nothing."""
        if self.gone:
            return {"type": "http.disconnect"}
        await asyncio.Event().wait()
        raise AssertionError("an event that nobody sets was set")

    @property
    def text(self) -> bytes:
        """The answer's body so far."""
        return b"".join(message.get("body", b"") for message in self.got)


@dataclass
class Pieces:
    """An export's text; ``closed`` tells that what it holds was let go."""

    texts: list[bytes | Exception]
    closed: bool = False

    async def read(self) -> AsyncGenerator[bytes]:
        """One after the other."""
        try:
            for text in self.texts:
                if isinstance(text, Exception):
                    raise text
                yield text
        finally:
            self.closed = True


async def _run(pieces: Pieces, client: Client) -> None:
    await ExportResponse(pieces.read())(SCOPE, client.receive, client.send)


async def test_it_is_sent_piece_by_piece() -> None:
    client = Client()
    await _run(Pieces([b"{", b"}"]), client)
    assert client.text == b"{}"
    start, *bodies = client.got
    assert (start["type"], start["status"]) == ("http.response.start", 200)
    assert b"content-length" not in dict(start["headers"])
    assert [body.get("more_body", False) for body in bodies] == [True, True, False]


async def test_what_fails_before_the_first_piece_begins_no_answer() -> None:
    client, pieces = Client(), Pieces([Unavailable("exports", "too many exports at once")])
    with pytest.raises(Unavailable):
        await _run(pieces, client)
    assert client.got == []


async def test_what_fails_later_leaves_the_answer_open() -> None:
    client, pieces = Client(), Pieces([b"{", Unavailable("postgresql", "away"), b"}"])
    with pytest.raises(Unavailable):
        await _run(pieces, client)
    assert client.got[-1]["more_body"] is True
    assert pieces.closed


async def test_a_client_that_is_gone_gets_no_more() -> None:
    client, pieces = Client(gone=True), Pieces([b"{", b"}"])
    await _run(pieces, client)
    assert client.text == b"{"
    assert pieces.closed


async def test_a_client_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "SECONDS_MAX", 0.05)
    client, pieces = Client(stalls=True), Pieces([b"{", b"}"])
    with pytest.raises(TimeoutError):
        await _run(pieces, client)
    assert pieces.closed
