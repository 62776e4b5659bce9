"""A broker's URL taken apart (rabbitmq.com/docs/uri-spec); options for certificates are those that aio-pika knows."""

from __future__ import annotations

import ssl
from base64 import b64decode
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

_PORTS: Final = {"amqp": 5672, "amqps": 5671}


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
        if self.no_verify_ssl != "0":
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
        """Reads ``amqp[s]://LOGIN:PASSWORD@HOST:PORT/VHOST?OPTIONS``. Raises ``ValueError`` for anything else."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("a broker's address begins with amqp:// or amqps:// and names a host")
        options = {name: value for name, value in parse_qsl(parts.query) if name in Certificates.__struct_fields__}
        return cls(
            host=parts.hostname,
            port=parts.port or _PORTS[parts.scheme],
            login=unquote(parts.username or "guest"),
            password=unquote(parts.password or "guest"),
            virtual_host=unquote(parts.path[1:]) or "/",
            certificates=Certificates(**options) if parts.scheme == "amqps" else None,
        )
