"""Where a request comes from, as it may be written down."""

from __future__ import annotations

from fastapi import Request

from api import client_address
from api.auth.model import Client
from api.text import printable

_USER_AGENT_LENGTH_MAX = 500


def client_of(request: Request) -> Client:
    """The client's address, by whatever proxies of ours told, and what it calls itself; control characters are
    replaced."""
    agent = request.headers.get("user-agent")
    return Client(
        address=None if request.client is None else _address(request.client.host),
        user_agent=None if agent is None else printable(agent, _USER_AGENT_LENGTH_MAX),
    )


def _address(host: str) -> str | None:
    address = client_address.parse(host)
    return None if address is None else str(address)
