"""A second factor: turned on, asked for, lost, turned off. Numbers in brackets: SECURITY.md's checklist."""

from __future__ import annotations

from uuid import UUID

import asyncpg
import httpx
from pyotp.totp import TOTP

from api.auth.two_factor.recovery import RecoveryCode
from tests.integration.api.authenticator import (
    DISABLE,
    ENABLE,
    RENEW,
    SETUP,
    Enrolled,
    age_sessions,
    answer,
    challenge,
    events,
    notices,
    verify_address,
)
from tests.integration.api.users import BASE, PASSWORD, SignedIn, assert_problem, fields, is_valid, login, sign_up

REAUTHENTICATE = f"{BASE}/auth/reauthenticate"


async def _post(http: httpx.AsyncClient, user: SignedIn, path: str, **body: str) -> httpx.Response:
    return await http.post(path, json=body or None, headers=user.headers)


# -------------------------------------------------------------------------------------------------------- turning it on


async def test_it_is_asked_for_once_a_code_has_confirmed_it(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[50]: a secret that was only made is asked of nobody; events and mails tell of what is on."""
    await verify_address(owner, user)
    made = await _post(http, user, SETUP)
    assert made.headers["cache-control"] == "no-store"
    given = made.json()
    assert set(given) == {"secret", "uri", "qr"}
    assert given["secret"] in given["uri"]
    assert given["qr"].startswith("<svg ")
    enrolled = Enrolled(user, TOTP(given["secret"]))
    wrong = await _post(http, user, ENABLE, code=enrolled.wrong_code())
    assert fields(assert_problem(wrong, 422, "invalid_request")) == ["code"]
    other = await login(http, user.email)

    enabled = await _post(http, user, ENABLE, code=enrolled.totp.now())
    assert len(set(enabled.json()["recoveryCodes"])) == 10
    assert await is_valid(http, user.access_token)
    assert not await is_valid(http, other.access_token), "what a password alone began has ended"
    assert await events(owner, user, "two_factor") == ["two_factor.enabled"]
    assert await notices(owner, user) == ["second_factor_on"]

    answered = await answer(http, await challenge(http, user.email), code=await enrolled.unused_code(owner))
    assert answered.status_code == 200, answered.text
    assert answered.headers["cache-control"] == "no-store"
    assert set(answered.json()) == {"user", "accessToken", "refreshToken", "expiresIn", "tokenType"}
    assert await is_valid(http, answered.json()["accessToken"])


async def test_the_code_that_confirmed_it_is_spent(http: httpx.AsyncClient, enrolled: Enrolled) -> None:
    """[46]."""
    given = await challenge(http, enrolled.user.email)
    assert_problem(await answer(http, given, code=enrolled.confirmed_by), 401, "unauthorized")


async def test_a_stolen_session_turns_nothing_on(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[50]: it needs a verified address, and a sign-in of some minutes ago."""
    assert "details" in assert_problem(await _post(http, user, SETUP), 403, "forbidden")
    await verify_address(owner, user)
    assert (await _post(http, user, SETUP)).status_code == 200
    await age_sessions(owner, user)
    for path, body in ((SETUP, {}), (ENABLE, {"code": "000000"})):
        problem = assert_problem(await _post(http, user, path, **body), 403, "forbidden")
        assert problem["details"] == {"reauthenticate": True}


async def test_what_is_on_is_neither_told_again_nor_replaced(http: httpx.AsyncClient, enrolled: Enrolled) -> None:
    """[50]."""
    user = enrolled.user
    assert_problem(await _post(http, user, SETUP), 403, "forbidden")
    assert_problem(await _post(http, user, ENABLE, code=enrolled.totp.now()), 403, "forbidden")


async def test_secrets_are_kept_in_no_readable_form(enrolled: Enrolled, owner: asyncpg.Connection) -> None:
    """[44] [49]: neither the authenticator's secret nor a recovery code is in the database."""
    kept = str(await owner.fetchrow("SELECT * FROM auth.two_factor_auth WHERE user_id = $1", UUID(enrolled.user.id)))
    raw = enrolled.totp.byte_secret()
    codes = [RecoveryCode.parse(text) for text in enrolled.recovery_codes]
    secrets = [raw, *(code.secret for code in codes if code is not None)]
    assert len(secrets) == 11
    assert [secret for secret in secrets if str(secret)[2:-1] in kept or secret.hex() in kept] == []
    assert [text for text in (enrolled.totp.secret, *enrolled.recovery_codes) if text in kept] == []


# ------------------------------------------------------------------------------------------------------- recovery codes


async def test_new_recovery_codes_void_the_old(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    """[49] [50]: they need the authenticator itself."""
    user = enrolled.user
    wrong = await _post(http, user, RENEW, code=enrolled.wrong_code())
    assert fields(assert_problem(wrong, 422, "invalid_request")) == ["code"]
    pending = await challenge(http, user.email)
    renewed = await _post(http, user, RENEW, code=await enrolled.unused_code(owner))
    assert renewed.status_code == 200, renewed.text
    new = renewed.json()["recoveryCodes"]
    assert set(new).isdisjoint(enrolled.recovery_codes)
    assert_problem(await answer(http, pending, recoveryCode=new[0]), 401, "unauthorized")
    given = await challenge(http, user.email)
    assert_problem(await answer(http, given, recoveryCode=enrolled.recovery_codes[0]), 401, "unauthorized")
    assert (await answer(http, given, recoveryCode=new[0])).status_code == 200
    assert await events(owner, user, "recovery") == ["recovery.renewed", "recovery.used"]
    assert (await notices(owner, user))[-2:] == ["recovery_codes_renewed", "recovery_code_used"]


# ------------------------------------------------------------------------------------------------------- turning it off


async def test_turning_it_off_needs_a_factor(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    """[50]: a session of some minutes ago is not enough, nor is a recent one alone; wrong codes are counted."""
    user = enrolled.user
    for name, wrong in (("code", enrolled.wrong_code()), ("recoveryCode", RecoveryCode.new().text)):
        refused = await _post(http, user, DISABLE, **{name: wrong})
        assert fields(assert_problem(refused, 422, "invalid_request")) == [name]
    failures = "SELECT failures FROM auth.two_factor_auth WHERE user_id = $1"
    assert await owner.fetchval(failures, UUID(user.id)) == 2
    disabled = await _post(http, user, DISABLE, code=await enrolled.unused_code(owner))
    assert disabled.json() == {"success": True}
    assert (await login(http, user.email)).access_token
    assert await events(owner, user, "two_factor.d") == ["two_factor.disabled"]
    assert (await notices(owner, user))[-1] == "second_factor_off"
    assert_problem(await _post(http, user, DISABLE, code="000000"), 403, "forbidden")


async def test_it_is_turned_off_with_a_recovery_code(http: httpx.AsyncClient, enrolled: Enrolled) -> None:
    disabled = await _post(http, enrolled.user, DISABLE, recoveryCode=enrolled.recovery_codes[0])
    assert disabled.status_code == 200
    assert (await login(http, enrolled.user.email)).access_token


async def test_a_locked_factor_is_locked_everywhere(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    """[47]: no other door has a count of its own."""
    user = enrolled.user
    for number in range(10):
        path = DISABLE if number % 2 else RENEW
        assert_problem(await _post(http, user, path, code=enrolled.wrong_code()), 422, "invalid_request")
    code = await enrolled.unused_code(owner)
    for path, body in ((DISABLE, {}), (RENEW, {}), (REAUTHENTICATE, {"password": PASSWORD})):
        assert_problem(await _post(http, user, path, code=code, **body), 429, "rate_limited")


# --------------------------------------------------------------------------------------------- proving again who one is


async def test_reauthentication_makes_a_session_recent(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    await verify_address(owner, user)
    await age_sessions(owner, user)
    assert_problem(await _post(http, user, SETUP), 403, "forbidden")
    wrong = await _post(http, user, REAUTHENTICATE, password="wrong " + PASSWORD)
    assert_problem(wrong, 403, "forbidden")
    assert_problem(await _post(http, user, SETUP), 403, "forbidden")
    assert await events(owner, user, "sign_in.failed") == ["sign_in.failed"]
    assert (await _post(http, user, REAUTHENTICATE, password=PASSWORD)).json() == {"success": True}
    assert (await _post(http, user, SETUP)).status_code == 200


async def test_reauthentication_asks_for_the_second_factor_too(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    """[50]."""
    user = enrolled.user
    await age_sessions(owner, user)
    missing = await _post(http, user, REAUTHENTICATE, password=PASSWORD)
    assert fields(assert_problem(missing, 422, "invalid_request")) == ["code"]
    wrong = await _post(http, user, REAUTHENTICATE, password=PASSWORD, code=enrolled.wrong_code())
    assert_problem(wrong, 403, "forbidden")
    code = await enrolled.unused_code(owner)
    wrong = await _post(http, user, REAUTHENTICATE, password="wrong " + PASSWORD, code=code)
    assert_problem(wrong, 403, "forbidden")
    assert_problem(await _post(http, user, RENEW, code=code), 403, "forbidden")
    right = await _post(http, user, REAUTHENTICATE, password=PASSWORD, code=code)
    assert right.status_code == 200, "a code that came with a wrong password was not looked at"


async def test_another_sessions_reauthentication_is_not_ones_own(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    await verify_address(owner, user)
    other = await login(http, user.email)
    await age_sessions(owner, user)
    assert (await _post(http, other, REAUTHENTICATE, password=PASSWORD)).status_code == 200
    assert_problem(await _post(http, user, SETUP), 403, "forbidden")


async def test_everybody_elses_factor_is_their_own(http: httpx.AsyncClient, enrolled: Enrolled) -> None:
    """[58]."""
    somebody = await sign_up(http)
    for path in (DISABLE, RENEW):
        assert_problem(await _post(http, somebody, path, code=enrolled.totp.now()), 403, "forbidden")
    assert await challenge(http, enrolled.user.email)
