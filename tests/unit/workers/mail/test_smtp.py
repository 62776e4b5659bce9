"""Handing over to a real SMTP server: what is taken, what may be taken later, and what never will be."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.integration.mail.server import SmtpServer, receiving, refuse
from tests.integration.workers.tls import Authority
from workers.mail import smtp
from workers.mail.smtp import Smtp
from workers.mail.transport import PermanentFailureError, TemporaryFailureError, TransportError


def _message(to: str = "ada@example.com") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Mana <mana@mana.example>"
    message["To"] = to
    message["Subject"] = "Grüße"
    message["Message-ID"] = "<1@mana.example>"
    message.set_content("Grüße\n.\nNach einem Punkt\n")
    return message


async def _send(url: str, message: EmailMessage | None = None) -> None:
    await Smtp(smtp.SmtpServer.parse(url, development=False)).send(message or _message())


@pytest.fixture
async def server() -> AsyncGenerator[SmtpServer]:
    async with receiving() as running:
        yield running


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


def _context(authority: Authority, name: str) -> ssl.SSLContext:
    files = authority.sign(name)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    return context


async def test_a_mail_arrives_as_it_is(server: SmtpServer) -> None:
    await _send(server.url)
    (received,) = server.received
    assert received["Subject"] == "Grüße"
    assert received.get_content().replace("\r\n", "\n") == "Grüße\n.\nNach einem Punkt\n"
    assert server.recipients == [["ada@example.com"]]


async def test_an_address_in_other_letters(server: SmtpServer) -> None:
    await _send(server.url, _message("änne@exämple.com"))
    assert server.recipients == [["änne@exämple.com"]]


@pytest.mark.parametrize(
    ("reply", "failure", "told"),
    [
        ("450 4.2.1 ada@example.com is busy", TemporaryFailureError, "refused: 450 4.2.1"),
        ("550 5.1.1 ada@example.com is nobody", PermanentFailureError, "refused: 550 5.1.1"),
        ("421 closing", TemporaryFailureError, "refused: 421"),
        ("552 too much", PermanentFailureError, "refused: 552"),
    ],
)
@pytest.mark.parametrize("step", ["on_recipient", "on_data"])
async def test_what_the_server_does_not_take(
    server: SmtpServer, step: str, reply: str, failure: type[TransportError], told: str
) -> None:
    """Its codes are told, and none of its words: they may name the recipient."""
    setattr(server, step, refuse(reply))
    with pytest.raises(failure) as refusal:
        await _send(server.url)
    assert str(refusal.value) == told
    await _send(server.url)
    assert len(server.received) == 1


async def test_with_encryption_and_a_login(trusted: Authority) -> None:
    async with receiving(tls=_context(trusted, "localhost"), login=("mana", "p@ss")) as server:
        await _send(f"smtp://mana:p%40ss@localhost:{server.port}?starttls=yes")
        assert server.encrypted == [True]
        with pytest.raises(TemporaryFailureError, match="cannot be used: 535") as refusal:
            await _send(f"smtp://mana:wrong@localhost:{server.port}?starttls=yes")
        assert "wrong" not in str(refusal.value)
        assert len(server.received) == 1


async def test_nothing_is_said_to_a_server_that_cannot_prove_who_it_is(trusted: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    for context in (_context(stranger, "localhost"), _context(trusted, "elsewhere.test")):
        async with receiving(tls=context) as server:
            with pytest.raises(TemporaryFailureError):
                await _send(f"smtp://localhost:{server.port}?starttls=yes")
            assert server.received == []


async def test_encryption_is_not_given_up_where_the_server_has_none(server: SmtpServer) -> None:
    with pytest.raises(TemporaryFailureError, match="cannot be used"):
        await _send(f"{server.url}?starttls=yes")
    assert server.received == []


async def test_tls_from_the_first_byte(trusted: Authority) -> None:
    heard: list[bytes] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 5.3.2 not today\r\n")
        heard.append(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=_context(trusted, "localhost"))
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(TemporaryFailureError, match=r"cannot be used: 554 5\.3\.2"):
        await _send(f"smtps://localhost:{port}")
    server.close()


async def test_a_server_that_is_not_there() -> None:
    async with receiving() as gone:
        url = gone.url
    with pytest.raises(TemporaryFailureError, match="cannot be used"):
        await _send(url)


async def test_a_server_that_says_nothing_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "SECONDS_MAX", 0.2)
    heard: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _reader, writer: heard.append(writer), "127.0.0.1", 0)
    with pytest.raises(TemporaryFailureError, match="does not answer"):
        await _send(f"smtp://127.0.0.1:{silent.sockets[0].getsockname()[1]}")
    async with asyncio.timeout(20):
        while not heard:  # what the kernel has accepted we may take later
            await asyncio.sleep(0.01)
    silent.close()
    for writer in heard:
        writer.close()


async def test_a_server_that_hangs_up_before_it_takes_the_mail(server: SmtpServer) -> None:
    async def hang_up() -> str:
        raise ConnectionResetError

    server.on_data = hang_up
    with pytest.raises(TemporaryFailureError):
        await _send(server.url)
    assert server.received == []
