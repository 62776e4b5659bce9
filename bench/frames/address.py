"""An AMQP address taken apart (rabbitmq.com/docs/uri-spec)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from bench.frames.errors import BrokerError


@dataclass(frozen=True)
class Address:
    """Where the broker is, and who logs in."""

    host: str
    port: int
    tls: bool
    login: str
    password: str
    virtual_host: str

    @classmethod
    def of(cls, url: str) -> Address:
        """Reads ``amqp[s]://LOGIN:PASSWORD@HOST:PORT/VHOST``. Raises ``BrokerError`` for anything else."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise BrokerError(f"no AMQP address: {error}") from error
        if parts.scheme not in {"amqp", "amqps"} or not parts.hostname:
            raise BrokerError("an AMQP address begins with amqp:// or amqps:// and names a host")
        tls = parts.scheme == "amqps"
        return cls(
            host=parts.hostname,
            port=port or (5671 if tls else 5672),
            tls=tls,
            login=unquote(parts.username or "guest"),
            password=unquote(parts.password or "guest"),
            virtual_host=unquote(parts.path[1:]) or "/",
        )
