"""Acts of the model as requests to a front, and what the front answered in words of the model."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import asyncpg
import httpx
import jwt

from tests.integration.api.administrators import ADMIN, SPAM
from tests.integration.api.users import BASE, PASSWORD
from tests.integration.auth.links import link_of
from tests.stateful.model import (
    Act,
    Answer,
    Ban,
    Change,
    EndListed,
    Guess,
    Login,
    Logout,
    LogoutAll,
    Pair,
    Refresh,
    Reset,
    Unban,
)

Front: TypeAlias = Literal[0, 1]


@dataclass(frozen=True)
class Fronts:
    """Two processes, the database as its owner sees it, and an administrator's access token."""

    clients: tuple[httpx.AsyncClient, httpx.AsyncClient]
    owner: asyncpg.Connection
    admin: str


@dataclass(frozen=True)
class Given:
    """A pair of tokens as it came."""

    refresh_token: str
    access_token: str

    @property
    def sid(self) -> str:
        """The session that the access token names."""
        return jwt.decode(self.access_token, options={"verify_signature": False})["sid"]


Said: TypeAlias = Given | str
"""A pair, ``done``, or the code of a problem."""


@dataclass
class Texts:
    """What the model's numbers are in truth, as far as clients have been told."""

    emails: list[str] = field(default_factory=list[str])
    ids: list[str] = field(default_factory=list[str])
    sids: dict[int, str] = field(default_factory=dict[int, str])
    tokens: dict[Pair, str] = field(default_factory=dict[Pair, str])
    access: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    links: dict[tuple[int, int], str] = field(default_factory=dict[tuple[int, int], str])

    def with_answers(self, answers: tuple[Answer, ...], said: list[Said]) -> Texts | None:
        """With what these answers tell of new tokens; ``None`` where they do not say what the model says.

        A token that clients know already must be the same again, and a new one must be new.
        """
        sids, tokens, access = dict(self.sids), dict(self.tokens), dict(self.access)
        for answer, word in zip(answers, said, strict=True):
            if not isinstance(answer, Pair) or not isinstance(word, Given):
                if answer != word:
                    return None
                continue
            if sids.setdefault(answer.session, word.sid) != word.sid:
                return None
            if tokens.setdefault(answer, word.refresh_token) != word.refresh_token:
                return None
            access[answer.session] = [*access.get(answer.session, []), word.access_token]
        if len(set(tokens.values())) < len(tokens) or len(set(sids.values())) < len(sids):
            return None
        return Texts(self.emails, self.ids, sids, tokens, access, self.links)

    def known(self, session: int) -> list[int]:
        """The generations of its refresh token that some client has, oldest first."""
        return sorted(pair.generation for pair in self.tokens if pair.session == session)


def password(number: int) -> str:
    """The text of a password; numbers are never used twice."""
    return f"{PASSWORD} {number}"


async def do(http: httpx.AsyncClient, texts: Texts, act: Act, admin: str) -> Said:
    """Asks the front for it; ``admin`` is an administrator's access token."""
    method, path, body, bearer = _request(texts, act, admin)
    headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
    answer = await http.request(method, path, json=body, headers=headers)
    assert answer.status_code < 500, answer.text
    told = answer.json()
    if answer.status_code != 200:
        return told["code"]
    return Given(told["refreshToken"], told["accessToken"]) if "refreshToken" in told else "done"


async def refresh_unheard(http: httpx.AsyncClient, fronts: Fronts, sid: str, token: str) -> None:
    """The front does it, and the connection breaks before anybody reads the answer."""
    generation = "SELECT generation FROM auth.sessions WHERE id = $1::text::uuid"
    before = await fronts.owner.fetchval(generation, sid)
    host, port = http.base_url.host, http.base_url.port
    body = json.dumps({"refreshToken": token})
    head = f"POST {BASE}/auth/refresh HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
    _, writer = await asyncio.open_connection(host, port)
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
    async with asyncio.timeout(10):
        while await fronts.owner.fetchval(generation, sid) == before:
            await asyncio.sleep(0.005)
    writer.transport.abort()


async def link_in_mail(fronts: Fronts, email: str) -> str | None:
    """The link in the newest mail that was asked for with this address; ``None`` where the mail is not written: the
    worker, whose part this is, writes none to who is banned."""
    newest = "SELECT id FROM auth.mails WHERE kind = 'reset_requested' AND email = $1 ORDER BY id DESC LIMIT 1"
    mail_id = await fronts.owner.fetchval(newest, email)
    assert mail_id is not None, "no mail was ordered"
    banned = await fronts.owner.fetchval("SELECT banned_at IS NOT NULL FROM auth.users WHERE email = $1", email)
    assert banned is not None, "nobody has this address"
    return None if banned else await link_of(fronts.owner, mail_id)


def _request(texts: Texts, act: Act, admin: str) -> tuple[str, str, dict[str, Any] | None, str]:
    """Method, path, body, and who asks."""
    auth = f"{BASE}/auth"
    match act:
        case Login(user, number):
            return "POST", f"{auth}/login", {"email": texts.emails[user], "password": password(number)}, ""
        case Refresh(session, generation):
            return "POST", f"{auth}/refresh", {"refreshToken": texts.tokens[Pair(session, generation)]}, ""
        case Guess(text):
            return "POST", f"{auth}/refresh", {"refreshToken": text}, ""
        case Logout(session):
            return "POST", f"{auth}/logout", None, texts.access[session][-1]
        case LogoutAll(session):
            return "POST", f"{auth}/logout-all", None, texts.access[session][-1]
        case EndListed(session, other):
            return "DELETE", f"{auth}/sessions/{texts.sids[other]}", None, texts.access[session][-1]
        case Ban(user):
            return "POST", f"{ADMIN}/users/{texts.ids[user]}/ban", SPAM, admin
        case Unban(user):
            return "POST", f"{ADMIN}/users/{texts.ids[user]}/unban", SPAM, admin
        case Change(session, current, new):
            body = {"currentPassword": password(current), "newPassword": password(new)}
            return "POST", f"{auth}/password/change", body, texts.access[session][-1]
        case Reset(user, link, new):
            body = {"token": texts.links[user, link], "newPassword": password(new)}
            return "POST", f"{auth}/password/reset", body, ""
