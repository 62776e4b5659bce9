"""Asks the front, keeps every answer as a file, and every secret that is sent or given."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import httpx

from tests.integration.api.users import BASE
from tests.integration.canaries.secret import Secret, of_token


@dataclass
class Traveller:
    """``asked`` has each operation by method and path template, with the statuses that it was answered with."""

    http: httpx.AsyncClient
    answers: Path
    secrets: list[Secret] = field(default_factory=list[Secret])
    asked: dict[tuple[str, str], set[int]] = field(default_factory=dict[tuple[str, str], set[int]])
    number: int = 0

    def typed(self, name: str, text: str = "") -> str:
        """A secret that a person makes up and types: a password, where no text is given."""
        text = text or f"Canary {secrets.token_hex(12)} Zz"
        self.secrets.append(Secret(name, text, guessable=True))
        return text

    def given(self, name: str, text: str) -> str:
        """A secret that the last answer gave."""
        self.secrets.append(Secret(name, text, answer=self.number, other=of_token(text)))
        return text

    def mailed(self, name: str, text: str) -> str:
        """A secret that came by mail; no answer has it."""
        self.secrets.append(Secret(name, text, other=of_token(text)))
        return text

    def tokens(self, answer: httpx.Response) -> tuple[str, str]:
        """The tokens that a sign-in or a refresh gave. Of the access token, what makes it one is its signature."""
        assert answer.status_code == 200, answer.text
        access, refresh = answer.json()["accessToken"], answer.json()["refreshToken"]
        self.given("access token", access.rpartition(".")[2])
        if refresh:
            self.given("refresh token", refresh)
        return access, refresh

    def cookies(self, answer: httpx.Response) -> dict[str, str]:
        """The cookies that an answer sets: their values are secrets."""
        jar: SimpleCookie = SimpleCookie()
        for line in answer.headers.get_list("set-cookie"):
            jar.load(line)
        self.http.cookies.clear()
        return {name: self.given(f"cookie {name}", cookie.value) for name, cookie in jar.items() if cookie.value}

    async def ask(
        self,
        method: str,
        template: str,
        body: object = None,
        *,
        token: str = "",
        where: Mapping[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """What the front answers; ``template`` is a path of the OpenAPI document below ``/api/v1``, or begins with
        ``//`` where it is none below that."""
        path = template[1:] if template.startswith("//") else BASE + template
        headers = {**({"authorization": f"Bearer {token}"} if token else {}), **more.pop("headers", {})}
        if body is not None:
            more["json"] = body
        address = path
        for name, value in (where or {}).items():
            address = address.replace(f"{{{name}}}", value)
        answer = await self.http.request(method, address, headers=headers, **more)
        self.number += 1
        self.asked.setdefault((method.lower(), path), set()).add(answer.status_code)
        head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        file = self.answers / f"{self.number:04}"
        file.write_bytes(f"{method} {path} {answer.status_code}\n{head}\n\n".encode() + answer.content)
        return answer

    async def done(self, method: str, template: str, body: object = None, **more: Any) -> Any:
        """What came of what must succeed."""
        answer = await self.ask(method, template, body, **more)
        assert answer.is_success, (template, answer.text)
        return answer.json()
