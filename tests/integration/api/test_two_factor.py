"""A second factor: turned on, asked for, lost, turned off. Numbers in brackets: SECURITY.md's checklist."""

from __future__ import annotations

import asyncio
from uuid import UUID

import asyncpg
import httpx
import pytest
from pyotp.totp import TOTP

from api.auth.two_factor.recovery import RecoveryCode
from tests.integration.api.authenticator import (
    DISABLE,
    ENABLE,
    RENEW,
    SETUP,
    Enrolled,
    add_challenges,
    age_sessions,
    answer,
    challenge,
    enrol,
    verify_address,
)
from tests.integration.api.users import BASE, PASSWORD, SignedIn, assert_problem, fields, is_valid, login, sign_up

REAUTHENTICATE = f"{BASE}/auth/reauthenticate"


async def _post(http: httpx.AsyncClient, user: SignedIn, path: str, **body: str) -> httpx.Response:
    return await http.post(path, json=body or None, headers=user.headers)


async def _events(owner: asyncpg.Connection, user: SignedIn, prefix: str) -> list[str]:
    rows = await owner.fetch(
        "SELECT type FROM auth.security_events WHERE user_id = $1 AND type ^@ $2 ORDER BY id", UUID(user.id), prefix
    )
    return [row["type"] for row in rows]


async def _notices(owner: asyncpg.Connection, user: SignedIn) -> list[str]:
    """Mails about the second factor that were ordered for the user's address of that moment."""
    rows = await owner.fetch(
        "SELECT kind FROM auth.mails WHERE user_id = $1 AND email = $2 AND kind ~ '^(second|recovery)_' ORDER BY id",
        UUID(user.id),
        user.email,
    )
    return [row["kind"] for row in rows]


async def _sessions(owner: asyncpg.Connection, user: SignedIn) -> int:
    live = "SELECT count(*) FROM auth.sessions WHERE user_id = $1 AND ended_at IS NULL"
    return int(await owner.fetchval(live, UUID(user.id)) or 0)


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
    assert await _events(owner, user, "two_factor") == ["two_factor.enabled"]
    assert await _notices(owner, user) == ["second_factor_on"]

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


# ---------------------------------------------------------------------------------------------------- answering with it


async def test_a_code_works_once(http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection) -> None:
    """[46]: again, and in digits of another script."""
    code = await enrolled.unused_code(owner)
    wide = "".join(chr(0xFF10 + int(digit)) for digit in code)
    given = await challenge(http, enrolled.user.email)
    assert fields(assert_problem(await answer(http, given, code=wide), 422, "invalid_request")) == ["code"]
    assert (await answer(http, given, code=code)).status_code == 200
    given = await challenge(http, enrolled.user.email)
    assert_problem(await answer(http, given, code=code), 401, "unauthorized")
    assert_problem(await answer(http, given, code=wide), 422, "invalid_request")


async def test_twenty_answers_with_one_code_are_one_sign_in(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    """[46]: each to a challenge of its own, so that only the time step stands between them."""
    given = await add_challenges(owner, enrolled.user, 20)
    before, code = await _sessions(owner, enrolled.user), await enrolled.unused_code(owner)
    answers = await asyncio.gather(*(answer(http, one, code=code) for one in given))
    statuses = [one.status_code for one in answers]
    assert statuses.count(200) == 1
    assert set(statuses) == {200, 401, 429}, "ten wrong ones count, then it is locked"
    assert await _sessions(owner, enrolled.user) == before + 1


async def test_twenty_answers_to_one_challenge_are_one_sign_in(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    """[48]: with as many recovery codes as there are, all of them right."""
    given = await challenge(http, enrolled.user.email)
    before = await _sessions(owner, enrolled.user)
    codes = enrolled.recovery_codes * 2
    answers = await asyncio.gather(*(answer(http, given, recoveryCode=code) for code in codes))
    assert sorted(one.status_code for one in answers) == [200] + [401] * 19
    assert await _sessions(owner, enrolled.user) == before + 1
    left = "SELECT cardinality(recovery_hashes) FROM auth.two_factor_auth WHERE user_id = $1"
    assert await owner.fetchval(left, UUID(enrolled.user.id)) == 9, "who came too late has spent nothing"


async def test_ten_wrong_codes_lock_it_whatever_they_answer(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    """[47] [49]: over ten challenges, codes and recovery codes alike; a new password login does not count from anew."""
    user = enrolled.user
    for number in range(10):
        given = await challenge(http, user.email)
        wrong = {"recoveryCode": RecoveryCode.new().text} if number % 2 else {"code": enrolled.wrong_code()}
        assert_problem(await answer(http, given, **wrong), 401, "unauthorized")
    for right in ({"code": await enrolled.unused_code(owner)}, {"recoveryCode": enrolled.recovery_codes[0]}):
        locked = await answer(http, await challenge(http, user.email), **right)
        assert_problem(locked, 429, "rate_limited")
        assert 0 < int(locked.headers["retry-after"]) <= 900
    assert await _events(owner, user, "two_factor.failed") == ["two_factor.failed"] * 10

    unlock = "UPDATE auth.two_factor_auth SET locked_until = now() - interval '1 s' WHERE user_id = $1"
    await owner.execute(unlock, UUID(user.id))
    given = await challenge(http, user.email)
    assert_problem(await answer(http, given, code=enrolled.wrong_code()), 401, "unauthorized")
    longer = await answer(http, given, code=enrolled.wrong_code())
    assert 900 < int(longer.headers["retry-after"]) <= 1_800, "the eleventh is dearer"
    await owner.execute(unlock, UUID(user.id))
    assert (await answer(http, given, code=await enrolled.unused_code(owner))).status_code == 200
    kept = await owner.fetchrow(
        "SELECT failures, locked_until FROM auth.two_factor_auth WHERE user_id = $1", UUID(user.id)
    )
    assert kept is not None
    assert tuple(kept) == (0, None)


async def test_five_wrong_answers_end_a_challenge(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    given = await challenge(http, enrolled.user.email)
    for _ in range(5):
        assert_problem(await answer(http, given, code=enrolled.wrong_code()), 401, "unauthorized")
    assert_problem(await answer(http, given, code=await enrolled.unused_code(owner)), 401, "unauthorized")
    given = await challenge(http, enrolled.user.email)
    assert (await answer(http, given, code=await enrolled.unused_code(owner))).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE auth.verification_tokens SET created_at = '2020-01-01', expires_at = now() WHERE user_id = $1",
        "UPDATE auth.users SET banned_at = now() WHERE id = $1",
        "UPDATE auth.users SET credential_epoch = credential_epoch + 1 WHERE id = $1",
        "DELETE FROM auth.two_factor_auth WHERE user_id = $1",
    ],
    ids=["expired", "banned", "password changed", "turned off"],
)
async def test_a_challenge_dies_with_what_it_rests_on(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection, change: str
) -> None:
    """[48] [57] [42]."""
    given, code = await challenge(http, enrolled.user.email), await enrolled.unused_code(owner)
    before = await _sessions(owner, enrolled.user)
    await owner.execute(change, UUID(enrolled.user.id))
    assert_problem(await answer(http, given, code=code), 401, "unauthorized")
    assert await _sessions(owner, enrolled.user) == before


async def test_a_challenge_is_one_users_and_one_devices(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    """[48]; what is refused for the device alone costs neither the challenge nor a try."""
    other = await enrol(http, owner)
    given = await challenge(http, enrolled.user.email)
    assert_problem(await answer(http, given, code=await other.unused_code(owner)), 401, "unauthorized")

    given = await challenge(http, enrolled.user.email, deviceId="laptop", deviceName="Ada's laptop")
    code = await enrolled.unused_code(owner)
    for elsewhere in ({}, {"deviceId": "phone"}):
        assert_problem(await answer(http, given, code=code, **elsewhere), 401, "unauthorized")
    assert (await answer(http, given, code=code, deviceId="laptop")).status_code == 200
    started = await owner.fetchrow(
        "SELECT device_id, device_name FROM auth.sessions WHERE user_id = $1 ORDER BY id DESC", UUID(enrolled.user.id)
    )
    assert started is not None
    assert tuple(started) == ("laptop", "Ada's laptop")
    assert_problem(await answer(http, given, code=code, deviceId="laptop"), 401, "unauthorized")


async def test_a_newer_challenge_voids_the_older(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    older, newer = [await challenge(http, enrolled.user.email) for _ in range(2)]
    code = await enrolled.unused_code(owner)
    assert_problem(await answer(http, older, code=code), 401, "unauthorized")
    assert (await answer(http, newer, code=code)).status_code == 200


async def test_a_challenge_is_no_token(http: httpx.AsyncClient, enrolled: Enrolled) -> None:
    """[15] [48]: on every route that wants an access token, as a refresh token, and where tokens are validated."""
    given = await challenge(http, enrolled.user.email)
    document = (await http.get("/openapi.json")).json()
    guarded = [
        (method, path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "security" in operation
    ]
    assert len(guarded) > 15
    bearer = {"authorization": f"Bearer {given}"}
    for method, path in guarded:
        assert_problem(await http.request(method, path, headers=bearer), 401, "unauthorized")
    refreshed = await http.post(f"{BASE}/auth/refresh", json={"refreshToken": given})
    assert_problem(refreshed, 401, "unauthorized")
    assert not await is_valid(http, given)


async def test_an_access_token_is_no_challenge(http: httpx.AsyncClient, enrolled: Enrolled) -> None:
    """[15]."""
    for token in (enrolled.user.access_token, enrolled.user.refresh_token):
        refused = await answer(http, token[:200], recoveryCode=enrolled.recovery_codes[0])
        assert_problem(refused, 401, "unauthorized")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"code": "123456", "recoveryCode": "A"}, "body"),
        ({"code": "12345"}, "code"),
        ({"code": 123456}, "code"),
        ({"code": "123456\n"}, "code"),
        ({"recoveryCode": ""}, "recoveryCode"),
        ({"code": "123456", "userId": "x"}, "userId"),
    ],
)
async def test_answers_that_do_not_fit(http: httpx.AsyncClient, body: dict[str, str], field: str) -> None:
    assert fields(assert_problem(await answer(http, "x" * 43, **body), 422, "invalid_request")) == [field]


# ------------------------------------------------------------------------------------------------------- recovery codes


async def test_a_recovery_code_works_once_and_its_user_is_told(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    """[49]: as somebody types it."""
    code = enrolled.recovery_codes[4].lower().replace("-", " ")
    answered = await answer(http, await challenge(http, enrolled.user.email), recoveryCode=code)
    assert answered.status_code == 200, answered.text
    again = await answer(http, await challenge(http, enrolled.user.email), recoveryCode=code)
    assert_problem(again, 401, "unauthorized")
    assert await _events(owner, enrolled.user, "recovery") == ["recovery.used"]
    assert (await _notices(owner, enrolled.user))[-1] == "recovery_code_used"


async def test_twenty_uses_of_a_recovery_code_are_one(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    """[49]: each for a challenge of its own."""
    given, before = await add_challenges(owner, enrolled.user, 20), await _sessions(owner, enrolled.user)
    code = enrolled.recovery_codes[0]
    answers = await asyncio.gather(*(answer(http, one, recoveryCode=code) for one in given))
    assert [one.status_code for one in answers].count(200) == 1
    assert await _sessions(owner, enrolled.user) == before + 1


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
    assert await _events(owner, user, "recovery") == ["recovery.renewed", "recovery.used"]
    assert (await _notices(owner, user))[-2:] == ["recovery_codes_renewed", "recovery_code_used"]


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
    assert await _events(owner, user, "two_factor.d") == ["two_factor.disabled"]
    assert (await _notices(owner, user))[-1] == "second_factor_off"
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
    assert await _events(owner, user, "sign_in.failed") == ["sign_in.failed"]
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
