"""A broker's URL taken apart (rabbitmq.com/docs/uri-spec); options for certificates are those that aio-pika knows."""

from __future__ import annotations

import ssl
from base64 import b64decode
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from msgspec import Struct

_PORTS: Final = {"amqp": 5672, "amqps": 5671}
_NOT_HEEDED: Final = {
    "cacertfile",
    "verify",
    "server_name_indication",
    "fail_if_no_peer_cert",
    "auth",
    "auth_mechanism",
}
"""Other clients' words for whom to trust and how to log in: who writes them must not believe that they count."""


class Certificates(Struct, frozen=True):
    """Who vouches for the broker (a file, a folder, or DER in base64), and what we show of ourselves."""

    cafile: str | None = None
    capath: str | None = None
    cadata: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    no_verify_ssl: str = "0"

    def context(self) -> ssl.SSLContext:
        """Reads the files. Raises ``OSError`` where one is missing or is none."""
        authority = b64decode(self.cadata) if self.cadata else None
        context = ssl.create_default_context(cafile=self.cafile, capath=self.capath, cadata=authority)
        if self.certfile is not None:
            context.load_cert_chain(self.certfile, self.keyfile)
        if self.no_verify_ssl == "1":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class Address(Struct, frozen=True):
    """Where the broker is and who logs in; ``certificates`` where the connection is to be encrypted."""

    host: str
    port: int
    login: str
    password: str
    virtual_host: str
    certificates: Certificates | None

    @classmethod
    def of(cls, url: str) -> Address:
        """Reads ``amqp[s]://LOGIN:PASSWORD@HOST:PORT/VHOST?OPTIONS``.

        Raises ``ValueError`` for anything else, and for options of trust or login that would not be heeded; its text
        holds nothing of the address. Other options are other clients', and are passed over.
        """
        parts, port = _taken_apart(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("a broker's address begins with amqp:// or amqps:// and names a host")
        return cls(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            login=unquote(parts.username or "guest"),
            password=unquote(parts.password or "guest"),
            virtual_host=unquote(parts.path[1:]) or "/",
            certificates=_certificates(parts),
        )


def _taken_apart(url: str) -> tuple[SplitResult, int | None]:
    """The parts, and the port. Python's own errors quote what it takes for a port or a host: a piece of a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = None, None
    if parts is None or parts.fragment:
        raise ValueError("a broker's address cannot be read: is a / or # in its password not written as %2F or %23?")
    return parts, port


def _certificates(parts: SplitResult) -> Certificates | None:
    """``None`` for a connection in the clear. Raises ``ValueError``."""
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    if strange := sorted(_NOT_HEEDED & given.keys()):
        raise ValueError(f"not known in a broker's address: {', '.join(strange)}")
    options = {name: value for name, value in given.items() if name in Certificates.__struct_fields__}
    if parts.scheme == "amqp":
        if options:
            raise ValueError(f"only for amqps://: {', '.join(sorted(options))}")
        return None
    if options.get("no_verify_ssl", "0") not in {"0", "1"}:
        raise ValueError("no_verify_ssl is 0 or 1")
    return Certificates(**options)
