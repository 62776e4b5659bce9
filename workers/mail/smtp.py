"""Mails by SMTP (RFC 5321), encrypted unless that was given up on purpose."""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from ipaddress import ip_address
from typing import Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from workers.mail.transport import PermanentFailureError, TemporaryFailureError
from workers.process_settings import SettingsError

Encryption = Literal["tls", "starttls", "none"]

SECONDS_MAX: Final = 60.0
"""For the whole conversation: well below the time for which an order is claimed."""
_ANSWER_SECONDS_MAX: Final = 30.0
_GOODBYE_SECONDS_MAX: Final = 2.0
_PORTS: Final[dict[Encryption, int]] = {"tls": 465, "starttls": 587, "none": 25}
_ENHANCED_CODE: Final = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}\b")
"""RFC 3463."""


@dataclass(frozen=True)
class SmtpServer:
    """Where mails are handed over, as ``SMTP_URL`` says."""

    host: str
    port: int
    encryption: Encryption
    login: str | None
    password: str | None

    @classmethod
    def parse(cls, url: str, *, development: bool) -> SmtpServer:
        """``smtps://`` is TLS from the first byte (RFC 8314); ``smtp://`` is STARTTLS (RFC 3207).

        On loopback nothing is encrypted unless ``?starttls=yes``; elsewhere ``?starttls=no`` does without it, in
        development alone. Raises ``SettingsError``.
        """
        parts = urlsplit(url)
        host, wish = parts.hostname or "", parse_qs(parts.query).get("starttls", [""])[-1]
        if wish not in {"", "yes", "no"}:
            raise SettingsError("SMTP_URL: starttls is yes or no")
        if wish == "no" and parts.scheme == "smtp" and not (development or _is_loopback(host)):
            raise SettingsError("SMTP_URL: in production mails are not sent unencrypted to another machine")
        encryption = _encryption(parts.scheme, wish, host)
        try:
            port = parts.port or _PORTS[encryption]
        except ValueError:
            raise SettingsError("SMTP_URL: the port is no number from 1 to 65535") from None
        return cls(host, port, encryption, _unquoted(parts.username), _unquoted(parts.password))


def _encryption(scheme: str, wish: str, host: str) -> Encryption:
    if scheme == "smtps":
        return "tls"
    if wish == "no" or (wish == "" and _is_loopback(host)):
        return "none"
    return "starttls"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _unquoted(part: str | None) -> str | None:
    return unquote(part) if part else None


class Smtp:
    """Hands each mail over in a conversation of its own. A server's words are told by their codes alone: the rest may
    name the recipient."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._own_name = socket.gethostname() or "localhost"

    async def send(self, message: EmailMessage) -> None:
        """Returns once the server has taken the mail. Raises ``TransportError``."""
        client = self._client()
        try:
            async with asyncio.timeout(SECONDS_MAX):
                await _connect(client)
                await _hand_over(client, message)
            await _say_goodbye(client)
        except TimeoutError as error:
            raise TemporaryFailureError("the mail server does not answer") from error
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.login,
            password=server.password,
            local_hostname=self._own_name,
            timeout=_ANSWER_SECONDS_MAX,
            use_tls=server.encryption == "tls",
            start_tls=server.encryption == "starttls",
        )


async def _connect(client: aiosmtplib.SMTP) -> None:
    """Encrypted and logged in as the settings say. What fails here fails for every mail, so never for good."""
    try:
        await client.connect()
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise TemporaryFailureError(f"the mail server cannot be used: {_told(error)}") from error


async def _hand_over(client: aiosmtplib.SMTP, message: EmailMessage) -> None:
    try:
        await client.send_message(message)
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise _refusal(error.recipients[0]) from error
    except aiosmtplib.SMTPDataError as error:
        raise _refusal(error) from error
    except (aiosmtplib.SMTPNotSupported, ValueError) as error:
        raise PermanentFailureError("the mail server takes no such address") from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise TemporaryFailureError(f"the mail server did not take it: {_told(error)}") from error


async def _say_goodbye(client: aiosmtplib.SMTP) -> None:
    """The mail is the server's already: whatever fails from here on, it must not be sent again."""
    with suppress(aiosmtplib.SMTPException, OSError):
        await client.quit(timeout=_GOODBYE_SECONDS_MAX)


def _refusal(error: aiosmtplib.SMTPResponseException) -> PermanentFailureError | TemporaryFailureError:
    kind = PermanentFailureError if error.code >= 500 else TemporaryFailureError
    return kind(f"refused: {_told(error)}")


def _told(error: BaseException) -> str:
    """The reply's codes; of other errors, what kind it is."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        enhanced = _ENHANCED_CODE.match(error.message)
        return f"{error.code} {enhanced[0]}" if enhanced else str(error.code)
    cause = error.__cause__ or error.__context__
    inner = f" ({type(cause).__name__})" if cause is not None else ""
    return type(error).__name__ + inner
