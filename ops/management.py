"""RabbitMQ's management API: the few calls that the launcher makes."""

import ssl
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from ops import urls
from ops.errors import LauncherError

_PATIENCE_SECONDS = 30.0
_NOT_FOUND = 404


def trusted(amqp_url: str) -> ssl.SSLContext | bool:
    """Who vouches for the broker: the authority that its AMQP address names as `cafile`, else the usual ones."""
    cafile = urls.options_of(amqp_url).get("cafile")
    return ssl.create_default_context(cafile=cafile) if cafile else True


class Management:
    """A logged-in client. Every failure is a LauncherError that names the broker; `login` is who is logged in."""

    def __init__(self, url: str, login: str, password: str, trust: ssl.SSLContext | bool = True) -> None:
        self._url, self.login, self._trust = url, login, trust
        self._client = httpx.AsyncClient(
            base_url=f"{url}/api", auth=(login, password), timeout=_PATIENCE_SECONDS, trust_env=False, verify=trust
        )

    @classmethod
    def of(cls, url: str, amqp_url: str) -> Self:
        """Logged in as who the broker's AMQP address names, trusting whom it trusts."""
        login, password = urls.login_of(amqp_url)
        return cls(url, login, password, trusted(amqp_url))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    @property
    def where(self) -> str:
        """Host and port: what may be shown."""
        return urls.where(self._url)

    def with_password(self, password: str) -> "Management":
        """The same login with another password."""
        return Management(self._url, self.login, password, self._trust)

    async def is_admitted(self) -> bool:
        """Whether the login is good."""
        return (await self._answer("GET", ("whoami",))).status_code != HTTPStatus.UNAUTHORIZED

    async def get(self, *path: str) -> Any:
        """What is there, as JSON."""
        return (await self._call("GET", path)).json()

    async def put(self, *path: str, body: Mapping[str, Any]) -> None:
        """Make it exist; the same again is no change."""
        await self._call("PUT", path, body)

    async def post(self, *path: str, body: Mapping[str, Any]) -> None:
        """Add it."""
        await self._call("POST", path, body)

    async def delete(self, *path: str) -> None:
        """Make it not exist; what is not there is no error."""
        await self._call("DELETE", path)

    async def _call(self, method: str, path: tuple[str, ...], body: Mapping[str, Any] | None = None) -> httpx.Response:
        response = await self._answer(method, path, body)
        if response.is_success or (method == "DELETE" and response.status_code == _NOT_FOUND):
            return response
        raise LauncherError(
            f"RabbitMQ at {self._url} refused {method} {'/'.join(path)}"
            f" ({response.status_code} {response.text.strip()[:300]})."
        )

    async def _answer(
        self, method: str, path: tuple[str, ...], body: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        address = "/" + "/".join(quote(part, safe="") for part in path)
        try:
            return await self._client.request(method, address, json=body)
        except httpx.HTTPError as error:
            raise LauncherError(
                f"RabbitMQ's management API at {self._url} could not be reached ({error!r}):"
                " start it, or name it in RABBITMQ_MANAGEMENT_URL."
            ) from error
