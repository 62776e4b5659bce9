"""What schemathesis is told of Mana: who is signed in, which requests succeed, and what no error may tell.

Loaded by schemathesis, in a process of its own, which ``running`` starts and whose surroundings it sets.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias
from uuid import uuid4

import asyncpg
import httpx
import schemathesis
from schemathesis import AuthContext, Case, CheckContext, HookContext, Response
from schemathesis.auths import set_on_case
from schemathesis.schemas import APIOperation

from tests.integration.api.administrators import administrator
from tests.integration.api.openapi.deeds import DEEDS, Deed, Preparation, Surroundings
from tests.integration.api.services import INTROSPECT, TOKEN, ServiceToken
from tests.integration.api.users import BASE, SignedIn, sign_up

AnyCase: TypeAlias = Case[Any]

URL, OWNER, AS, CALLS = (os.environ[f"OPENAPI_TEST_{name}"] for name in ("URL", "OWNER", "AS", "CALLS"))

OURS: Final = ("Traceback", "site-packages", ".py", "asyncpg", "redis", "aiormq", "SELECT ", "INSERT ", "UPDATE ",
               "DELETE FROM", "postgresql:", "amqp:", "$argon2", "eyJ")  # fmt: skip
"""What would tell of our inside: stack, file, driver, SQL, address of a server, hash, token."""
SECRET_FIELDS: Final = frozenset({
    *("email", "password", "newPassword", "currentPassword", "token", "refreshToken", "challenge", "recoveryCode"),
    "client_secret",
})  # fmt: skip
_SECRET_LENGTH_MIN: Final = 8
"""Shorter ones may stand in a sentence by chance."""

OAUTH: Final = frozenset({f"POST {TOKEN}", f"POST {INTROSPECT}"})
"""Whose errors are those of RFC 6749."""

PUT_PACKAGE: Final = f"PUT {BASE}/admin/packages/{{packageId}}"

given_out: list[SignedIn] = []
"""Whose tokens this run has carried, the latest last: a new one where the last one's session has ended."""


@asynccontextmanager
async def _surroundings() -> AsyncGenerator[Surroundings]:
    owner = await asyncpg.connect(OWNER)
    try:
        async with httpx.AsyncClient(base_url=URL, timeout=40) as http:
            yield Surroundings(http, owner)
    finally:
        await owner.close()


async def _sign_in() -> SignedIn:
    async with _surroundings() as there:
        return await (sign_up(there.http) if AS == "user" else administrator(there.http, there.owner))


async def _prepared(prepare: Preparation) -> Deed:
    async with _surroundings() as there:
        return await prepare(there)


if AS != "nobody":

    @schemathesis.auth(refresh_interval=600)
    class Session:
        """A new user whenever an answer of 401 shows that the last one's session is over."""

        def get(self, case: AnyCase, ctx: AuthContext, /) -> SignedIn:
            given_out.append(asyncio.run(_sign_in()))
            return given_out[-1]

        def set(self, case: AnyCase, data: SignedIn, ctx: AuthContext, /) -> None:
            case.headers.update(_bearer(data))


@schemathesis.hook
def before_add_examples(context: HookContext, examples: list[AnyCase]) -> None:
    """Requests that succeed, and the same for ids that nobody has. An operation without any is a KeyError: it fails."""
    operation = context.operation
    assert operation is not None
    for prepare in DEEDS[operation.label]:
        deed = asyncio.run(_prepared(prepare))
        examples.append(_case(operation, deed, deed.path))
        if deed.path:
            examples.append(_case(operation, deed, dict.fromkeys(deed.path, str(uuid4()))))


def _case(operation: APIOperation[Any, Any, Any, Any], deed: Deed, path: dict[str, str]) -> AnyCase:
    kind = "application/x-www-form-urlencoded" if deed.form else "application/json"
    given: dict[str, Any] = {} if deed.body is None else {"body": deed.body, "media_type": kind}
    case: AnyCase = operation.Case(path_parameters=path, headers=deed.headers, query=deed.query, **given)
    if AS != "nobody" and not deed.form:
        set_on_case(case, AuthContext(operation, None), None)
        if deed.by is not None:
            case.headers.update(_bearer(deed.by))
    return case


@schemathesis.hook
def before_call(context: HookContext, case: AnyCase, kwargs: dict[str, Any]) -> None:
    """Cases are made beforehand: those with a token whose session has ended since get the latest one's."""
    if any(case.headers.get("Authorization") == _bearer(user)["Authorization"] for user in given_out[:-1]):
        case.headers.update(_bearer(given_out[-1]))
    if "X-Mana-Session" in case.headers:
        case.headers.setdefault("Sec-Fetch-Site", "same-origin")  # as every browser adds by itself


@schemathesis.hook
def after_call(context: HookContext, case: AnyCase, response: Response) -> None:
    """Writes down what came of it, for ``running``."""
    with Path(CALLS).open("a", encoding="utf-8") as calls:
        calls.write(json.dumps([case.operation.label, response.status_code]) + "\n")
    if case.operation.label == PUT_PACKAGE and response.status_code < 400:
        asyncio.run(_sell_without_stripes_prices())


async def _sell_without_stripes_prices() -> None:
    """A package that names a price which Stripe does not have, as drawn ones do, sells nothing: rightly a 500."""
    async with _surroundings() as there:
        await there.owner.execute("UPDATE credits.packages SET stripe_price_id = NULL")
        await there.owner.execute("UPDATE credits.package_prices SET stripe_price_id = NULL")


@schemathesis.check
def problems_tell_nothing(ctx: CheckContext, response: Response, case: AnyCase) -> None:
    """Every error is a problem document, or OAuth's own, and holds neither what we are made of nor a secret that was
    sent."""
    if response.status_code < 400:
        return
    own = case.operation.label in OAUTH and response.status_code in {400, 401, 403}
    assert response.headers["content-type"] == ["application/json" if own else "application/problem+json"]
    text = response.content.decode()
    told = [part for part in (*OURS, *_secrets(case)) if part in text]
    assert not told, f"the problem tells {told}"


def _secrets(case: AnyCase) -> Iterator[str]:
    yield from (user.email for user in given_out)
    if isinstance(case.body, Mapping):
        for name, value in case.body.items():
            if name in SECRET_FIELDS and isinstance(value, str) and len(value) >= _SECRET_LENGTH_MIN:
                yield value


def _bearer(user: SignedIn | ServiceToken) -> dict[str, str]:
    return {"Authorization": user.headers["authorization"]}
