"""A real SMTP server on loopback, which says to each mail what a test wants it to say."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

OK = "250 OK"

Answer = Callable[[], Awaitable[str]]


async def accept() -> str:
    """Takes everything."""
    return OK


def refuse(*replies: str) -> Answer:
    """Gives these replies one after the other, then takes everything."""
    left = list(replies)

    async def answer() -> str:
        return left.pop(0) if left else OK

    return answer


@dataclass
class SmtpServer:
    """What arrived, oldest first; ``on_recipient`` and ``on_data`` say what the next mail is answered."""

    port: int = 0
    on_recipient: Answer = accept
    on_data: Answer = accept
    received: list[EmailMessage] = field(default_factory=list[EmailMessage])
    recipients: list[list[str]] = field(default_factory=list[list[str]])
    encrypted: list[bool] = field(default_factory=list[bool])
    conversations: int = 0

    @property
    def url(self) -> str:
        """Its ``SMTP_URL``."""
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_EHLO(  # noqa: N802 - aiosmtpd finds hooks by their names
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Counts conversations."""
        self.conversations += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """As the test says."""
        answer = await self.on_recipient()
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keeps what it answers with 250."""
        answer = await self.on_data()
        if answer.startswith("2"):
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=SMTPUTF8)
            assert isinstance(message, EmailMessage)
            self.received.append(message)
            self.recipients.append(list(envelope.rcpt_tos))
            self.encrypted.append(session.ssl is not None)
        return answer


@asynccontextmanager
async def receiving(
    *, tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None
) -> AsyncGenerator[SmtpServer]:
    """Runs until the block ends. With ``tls`` it wants STARTTLS; with ``login`` nobody else is heard."""
    there = SmtpServer()
    loop = asyncio.get_running_loop()

    conversations: list[SMTP] = []

    def authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _how: str, given: object) -> AuthResult:
        assert isinstance(given, LoginPassword)
        right = login == (given.login.decode(), given.password.decode())
        return AuthResult(success=right, handled=False)

    def conversation() -> SMTP:
        held = SMTP(
            there,
            hostname="mail.test",
            enable_SMTPUTF8=True,
            tls_context=tls,
            require_starttls=tls is not None,
            auth_required=login is not None,
            authenticator=authenticate,
            loop=loop,
        )
        conversations.append(held)
        return held

    server = await loop.create_server(conversation, "127.0.0.1", 0)
    there.port = server.sockets[0].getsockname()[1]
    try:
        yield there
    finally:
        server.close()
        for held in conversations:
            if held.transport is not None:
                held.transport.close()
