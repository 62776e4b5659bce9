"""``POST /auth/token``: an app shows its id and a secret, and gets an access token (RFC 6749, 4.4).

The numbers in brackets are those of SECURITY.md's checklist.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any, Final

import asyncpg
import httpx
import jwt
import mana_client
import pytest

from tests.integration.api.services import GRANT, TOKEN, Registered, add_secret, give_token, register_app
from tests.integration.api.users import assert_problem

FORM: Final = "application/x-www-form-urlencoded"
WRONG: Final = "mana_app_" + "A" * 43


@pytest.fixture
async def app(owner: asyncpg.Connection) -> Registered:
    """An app that may use, refund and hear."""
    return await register_app(owner)


def assert_error(answer: httpx.Response, status: int, code: str) -> None:
    """The answer is an error as RFC 6749, 5.2 has it, which no cache may keep."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    assert set(answer.json()) == {"error", "error_description"}
    assert answer.json()["error"] == code
    assert answer.headers.get("www-authenticate", "").startswith("Basic ") == (status == 401)


async def test_a_token_says_whose_it_is_and_for_what(http: httpx.AsyncClient, app: Registered) -> None:
    answer = await http.post(TOKEN, data=GRANT, auth=app.basic)
    assert answer.status_code == 200, answer.text
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    given = answer.json()
    keys = jwt.PyJWKSet.from_dict((await http.get("/.well-known/jwks.json")).json())
    key = keys[jwt.get_unverified_header(given["access_token"])["kid"]]
    claims: dict[str, Any] = jwt.decode(given["access_token"], key, audience="mana", issuer="mana")
    lived = claims["exp"] - claims["iat"]
    assert given == {
        "access_token": given["access_token"],
        "token_type": "Bearer",
        "expires_in": lived,
        "scope": "credits:use credits:refund events:read",
    }
    assert lived == 15 * 60
    assert abs(claims["iat"] - time.time()) < 60
    told = {"sub", "client_id", "aud", "iss", "scope", "role", "sid", "iat", "exp", "jti"}
    assert claims.keys() == told
    assert (claims["sub"], claims["client_id"], claims["role"]) == (app.id, app.id, "service")
    assert (claims["sid"], claims["scope"]) == (app.secret_id, given["scope"])


async def test_our_client_knows_whose_it_is(http: httpx.AsyncClient, app: Registered) -> None:
    text = (await http.post(TOKEN, data=GRANT, auth=app.basic)).json()["access_token"]
    keys = str(http.base_url.join("/.well-known/jwks.json"))
    token = await mana_client.TokenVerifier(keys, issuer="mana", audience="mana").verify(text)
    assert isinstance(token, mana_client.ServiceToken)
    assert (token.app_id, token.secret_id) == (app.id, app.secret_id)
    assert token.scopes == {"credits:use", "credits:refund", "events:read"}


async def test_an_app_proves_itself_in_the_form_as_well(http: httpx.AsyncClient, app: Registered) -> None:
    body = {**GRANT, "client_id": app.id, "client_secret": app.secret}
    assert (await http.post(TOKEN, data=body)).status_code == 200
    twice = await http.post(TOKEN, data=body, auth=app.basic)
    assert_error(twice, 400, "invalid_request")
    other = await http.post(TOKEN, data={**GRANT, "client_id": "another"}, auth=app.basic)
    assert_error(other, 400, "invalid_request")
    assert (await http.post(TOKEN, data={**GRANT, "client_id": app.id}, auth=app.basic)).status_code == 200


async def test_both_secrets_are_good_until_they_are_revoked(
    http: httpx.AsyncClient, owner: asyncpg.Connection, app: Registered
) -> None:
    second = await add_secret(owner, app.id, 2)
    assert (await give_token(http, app)).text != (await give_token(http, second)).text
    await owner.execute("UPDATE auth.app_secrets SET revoked_at = now() WHERE id = $1", app.secret_id)
    assert_error(await http.post(TOKEN, data=GRANT, auth=app.basic), 401, "invalid_client")
    await give_token(http, second)


async def test_a_token_is_for_what_was_asked_of_what_the_app_may(http: httpx.AsyncClient, app: Registered) -> None:
    asked = await http.post(TOKEN, data={**GRANT, "scope": "events:read credits:use"}, auth=app.basic)
    assert asked.json()["scope"] == "credits:use events:read"
    for scope in ("credits:grant", "credits:use credits:grant", "admin", "nonsense", "credits:use  events:read", " "):
        assert_error(await http.post(TOKEN, data={**GRANT, "scope": scope}, auth=app.basic), 400, "invalid_scope")


async def test_what_is_wrong_with_an_app_is_nobodys_business(
    http: httpx.AsyncClient, owner: asyncpg.Connection, app: Registered
) -> None:
    """[22]: unknown, wrong, revoked: byte for byte the same, by Basic and in the form."""
    revoked_secret, revoked_app = await add_secret(owner, app.id, 2), await register_app(owner)
    await owner.execute("UPDATE auth.app_secrets SET revoked_at = now() WHERE id = $1", revoked_secret.secret_id)
    await owner.execute("UPDATE credits.apps SET revoked_at = now() WHERE id = $1", revoked_app.id)
    other = await register_app(owner)
    wrong = [
        ("nobody", WRONG),
        (app.id, WRONG),
        (app.id, other.secret),
        revoked_secret.basic,
        revoked_app.basic,
        (app.id, app.secret + "x"),
        ("\x7f", "\u00e9"),
        ("a" * 300, ""),
    ]
    seen = set[tuple[bytes, str]]()
    for shown in wrong:
        in_form = {**GRANT, "client_id": shown[0], "client_secret": shown[1]}
        for answer in (await http.post(TOKEN, data=GRANT, auth=shown), await http.post(TOKEN, data=in_form)):
            assert_error(answer, 401, "invalid_client")
            apart = {name: value for name, value in answer.headers.items() if name not in {"x-request-id", "date"}}
            seen.add((answer.content, json.dumps({**apart, "ratelimit": ""}, sort_keys=True)))
    assert len(seen) == 1


async def test_refusals_are_security_events(
    http: httpx.AsyncClient, owner: asyncpg.Connection, app: Registered
) -> None:
    """[68]: of an app that is registered with its id, of others with a keyed hash: it may be a secret out of place."""
    slipped = f"mana_app_{app.id}"
    for app_id in (app.id, slipped):
        assert_error(await http.post(TOKEN, data=GRANT, auth=(app_id, WRONG)), 401, "invalid_client")
    noted = await owner.fetch(
        "SELECT user_id, details->>'appId' AS app_id, subject_hash, address IS NOT NULL AS told"
        " FROM auth.security_events WHERE type = 'app.refused' ORDER BY created_at DESC LIMIT 2"
    )
    assert [(row["user_id"], row["app_id"], row["told"]) for row in noted] == [
        (None, None, True),
        (None, app.id, True),
    ]
    assert all(len(row["subject_hash"]) == 32 for row in noted)
    whole = "SELECT count(*) FROM auth.security_events e WHERE e::text LIKE '%' || $1 || '%'"
    assert await owner.fetchval(whole, slipped) == 0


def _basic(text: bytes) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(text).decode()}"}


async def test_no_other_header_proves_an_app(http: httpx.AsyncClient, app: Registered) -> None:
    """[61]"""
    good = f"{app.id}:{app.secret}".encode()
    encoded = base64.b64encode(good).decode()
    bad: list[list[tuple[str, str]]] = [
        [("authorization", value)]
        for value in (
            *(f"Bearer {encoded}", f"Basic{encoded}", encoded, "Basic", f"Digest {encoded}"),
            *(f"Basic {encoded}!", f"Basic {encoded} {encoded}", f"Basic {'A' * 60_000}", "Basic %%%%"),
            *(_basic(each)["authorization"] for each in (b":", app.id.encode(), b"\xff:\xff", b"a%zz:%ff", b"\0:\0")),
        )
    ]
    bad.append([("authorization", f"Basic {encoded}")] * 2)
    bad.append([("proxy-authorization", f"Basic {encoded}")])
    for headers in bad:
        answer = await http.post(TOKEN, data=GRANT, headers=httpx.Headers(headers))
        assert answer.status_code in {401, 431}, (headers, answer.text)
        if answer.status_code == 401:
            assert_error(answer, 401, "invalid_client")


async def test_ids_and_secrets_are_read_as_forms_write_them(http: httpx.AsyncClient, app: Registered) -> None:
    """RFC 6749, 2.3.1: both halves of Basic are encoded as in a form."""
    written = "".join(f"%{ord(character):02X}" for character in app.id)
    answer = await http.post(TOKEN, data=GRANT, headers=_basic(f"{written}:{app.secret}".encode()))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (b"", FORM, "invalid_request"),
        (b"grant_type=", FORM, "invalid_request"),
        (b"grant_type=password", FORM, "unsupported_grant_type"),
        (b"grant_type=client_credentials&grant_type=client_credentials", FORM, "invalid_request"),
        (b"grant_type=client_credentials&scope=a&scope=a", FORM, "invalid_request"),
        (b"grant_type=%FF", FORM, "invalid_request"),
        (b"grant_type=\xff", FORM, "invalid_request"),
        (b"grant_type=client_credentials&scope=%00", FORM, "invalid_request"),
        (b"&".join(b"a%d=1" % number for number in range(50)), FORM, "invalid_request"),
        (b'{"grant_type": "client_credentials"}', "application/json", "invalid_request"),
        (b"grant_type=client_credentials", "text/plain", "invalid_request"),
    ],
)
async def test_a_request_that_is_none(
    http: httpx.AsyncClient, app: Registered, content: bytes, kind: str, code: str
) -> None:
    headers = {"content-type": kind, **_basic(f"{app.id}:{app.secret}".encode())}
    assert_error(await http.post(TOKEN, content=content, headers=headers), 400, code)


async def test_a_huge_form_is_refused_unread(http: httpx.AsyncClient, app: Registered) -> None:
    """[34]"""
    answer = await http.post(TOKEN, data={**GRANT, "scope": "x" * 20_000}, auth=app.basic)
    assert_problem(answer, 413, "payload_too_large")


async def test_when_a_secret_was_used_is_written_down_seldom(
    http: httpx.AsyncClient, owner: asyncpg.Connection, app: Registered
) -> None:
    """At most once in five minutes; a wrong secret is no use of the right one."""
    last_used = "SELECT last_used_at FROM auth.app_secrets WHERE id = $1"
    await http.post(TOKEN, data=GRANT, auth=(app.id, WRONG))
    assert await owner.fetchval(last_used, app.secret_id) is None
    await give_token(http, app)
    first = await owner.fetchval(last_used, app.secret_id)
    assert first is not None
    await owner.execute("SELECT auth.note_app_secret_use($1)", app.secret_id)
    await give_token(http, app)
    assert await owner.fetchval(last_used, app.secret_id) == first
    await owner.execute(
        "UPDATE auth.app_secrets SET last_used_at = now() - interval '6 min' WHERE id = $1", app.secret_id
    )
    await owner.execute("SELECT auth.note_app_secret_use($1)", app.secret_id)
    assert await owner.fetchval(last_used, app.secret_id) > first
