"""The broker's management API: what it holds of logins, and the calls that change them. It decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
import msgspec
from msgspec import Struct, field

from contracts.topology import COMMANDS_EXCHANGE, EVENTS_EXCHANGE
from workers.apps.model import Call, Declared, Held, HeldBinding, HeldRights, HeldUser, Ways
from workers.broker.address import Address

_TIMEOUT_SECONDS: Final = 5.0
_TOLD_CHARACTERS_MAX: Final = 300


class AwayError(Exception):
    """It cannot be reached, or does not let us in; nothing more is to be asked of it now."""


class RefusedError(Exception):
    """It does not take this call; others may be taken."""


class _User(Struct):
    name: str
    password_hash: str = ""
    hashing_algorithm: str | None = None
    tags: list[str] | str = field(default_factory=list[str])


class _Limits(Struct):
    user: str
    value: dict[str, int]


class _Names(Struct):
    user: str
    configure: str
    write: str
    read: str


class _Topics(Struct):
    user: str
    exchange: str
    write: str
    read: str


Read = TypeVar("Read")


class _Connection(Struct):
    user: str = ""


class Management:
    """As an administrator of the broker; it speaks of one virtual host.

    Who vouches for the broker's AMQP vouches for its management too.
    """

    def __init__(self, url: str, address: Address) -> None:
        self.vhost: Final = address.virtual_host
        self._client = httpx.AsyncClient(
            base_url=f"{url}/api",
            auth=(address.login, address.password),
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
            verify=True if address.certificates is None else address.certificates.context(),
        )

    async def held(self) -> Held:
        """What the broker holds of logins. Raises ``AwayError``, also for an answer that cannot be read."""
        users, limits, names, topics = await asyncio.gather(
            self._read(list[_User], "users"),
            self._read(list[_Limits], "user-limits"),
            self._read(list[_Names], "vhosts", self.vhost, "permissions"),
            self._read(list[_Topics], "vhosts", self.vhost, "topic-permissions"),
        )
        limits_of = {limit.user: limit.value for limit in limits}
        names_of = {right.user: (right.configure, right.write, right.read) for right in names}
        topics_of = {topic.user: (topic.write, topic.read) for topic in topics if topic.exchange == EVENTS_EXCHANGE}
        return Held(
            users={user.name: _held(user, limits_of.get(user.name, {})) for user in users},
            rights={
                login: HeldRights(names_of.get(login), topics_of.get(login))
                for login in names_of.keys() | topics_of.keys()
            },
        )

    async def ways(self) -> Ways:
        """What messages go by. Clients make these, so they may be many. Raises as ``held`` does."""
        only = {"disable_stats": "true", "columns": "name,arguments,exclusive"}
        bindings, inward = await asyncio.gather(
            self._read(list[HeldBinding], "exchanges", self.vhost, EVENTS_EXCHANGE, "bindings", "source"),
            self._read(list[HeldBinding], "exchanges", self.vhost, COMMANDS_EXCHANGE, "bindings", "destination"),
        )
        queues, exchanges = await asyncio.gather(
            self._read(list[Declared], "queues", self.vhost, **only),
            self._read(list[Declared], "exchanges", self.vhost, **only),
        )
        return Ways(tuple(bindings), tuple(inward), tuple(queues), tuple(exchanges))

    async def logged_in(self) -> frozenset[str]:
        """The logins that have a connection; none where the broker keeps no statistics, and refuses to say. Raises as
        ``held`` does."""
        answer = await self._ask("GET", ("connections",), asked={"columns": "user"})
        if answer.is_client_error:
            return frozenset()
        return frozenset(one.user for one in _decoded(answer, list[_Connection], "connections"))

    async def call(self, call: Call) -> None:
        """Makes a call; what is to be deleted and is not there is no error. Raises ``AwayError``, ``RefusedError``."""
        answer = await self._ask(call.method, call.path, call.body, reason=call.reason)
        if answer.is_success or (call.method == "DELETE" and answer.status_code == HTTPStatus.NOT_FOUND):
            return
        raise RefusedError(f"{call.method} {'/'.join(call.path)}: {_told(answer)}")

    async def close(self) -> None:
        """Ends its connections."""
        await self._client.aclose()

    async def _read(self, kind: type[Read], *path: str, **asked: str) -> Read:
        answer = await self._ask("GET", path, asked=asked)
        if not answer.is_success:
            raise AwayError(f"GET {'/'.join(path)}: {_told(answer)}")
        return _decoded(answer, kind, *path)

    async def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        body: Any = None,
        asked: Mapping[str, str] | None = None,
        reason: str = "",
    ) -> httpx.Response:
        address = "/" + "/".join(quote(part, safe="") for part in path)
        headers = {"X-Reason": reason} if reason else None
        try:
            answer = await self._client.request(method, address, json=body, params=asked, headers=headers)
        except httpx.HTTPError as error:
            raise AwayError(f"the management API cannot be reached: {error or type(error).__name__}") from error
        if answer.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} or answer.is_server_error:
            raise AwayError(f"the management API answers {_told(answer)}")
        return answer


def _decoded(answer: httpx.Response, kind: type[Read], *path: str) -> Read:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except msgspec.MsgspecError as error:
        raise AwayError(f"GET {'/'.join(path)}: {error}") from error


def _held(user: _User, limits: dict[str, int]) -> HeldUser:
    tags = user.tags.split(",") if isinstance(user.tags, str) else user.tags
    return HeldUser(user.name, user.password_hash, user.hashing_algorithm, tuple(tag for tag in tags if tag), limits)


def _told(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.text.strip()[:_TOLD_CHARACTERS_MAX]}"
