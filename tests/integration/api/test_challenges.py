"""The challenge that a right password gives a user with a second factor, and what answers it. Numbers in brackets:
SECURITY.md's checklist."""

from __future__ import annotations

import asyncio
from uuid import UUID

import asyncpg
import httpx
import pytest

from api.auth.two_factor.recovery import RecoveryCode
from tests.integration.api.authenticator import (
    Enrolled,
    add_challenges,
    answer,
    challenge,
    enrol,
    events,
    live_sessions,
    notices,
)
from tests.integration.api.users import BASE, assert_problem, fields, is_valid


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
    before, code = await live_sessions(owner, enrolled.user), await enrolled.unused_code(owner)
    answers = await asyncio.gather(*(answer(http, one, code=code) for one in given))
    statuses = [one.status_code for one in answers]
    assert statuses.count(200) == 1
    assert set(statuses) == {200, 401, 429}, "ten wrong ones count, then it is locked"
    assert await live_sessions(owner, enrolled.user) == before + 1


async def test_twenty_answers_to_one_challenge_are_one_sign_in(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    """[48]: with as many recovery codes as there are, all of them right."""
    given = await challenge(http, enrolled.user.email)
    before = await live_sessions(owner, enrolled.user)
    codes = enrolled.recovery_codes * 2
    answers = await asyncio.gather(*(answer(http, given, recoveryCode=code) for code in codes))
    assert sorted(one.status_code for one in answers) == [200] + [401] * 19
    assert await live_sessions(owner, enrolled.user) == before + 1
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
    assert await events(owner, user, "two_factor.failed") == ["two_factor.failed"] * 10

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
    before = await live_sessions(owner, enrolled.user)
    await owner.execute(change, UUID(enrolled.user.id))
    assert_problem(await answer(http, given, code=code), 401, "unauthorized")
    assert await live_sessions(owner, enrolled.user) == before


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
        "SELECT device_name, device_hash = decode(device_id, 'hex') AS known"
        " FROM auth.sessions JOIN auth.devices USING (user_id) WHERE user_id = $1 ORDER BY sessions.id DESC",
        UUID(enrolled.user.id),
    )
    assert started is not None
    assert tuple(started) == ("Ada's laptop", True)
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
        if any("bearer" in way for way in operation.get("security", ()))
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


async def test_a_recovery_code_works_once_and_its_user_is_told(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    """[49]: as somebody types it."""
    code = enrolled.recovery_codes[4].lower().replace("-", " ")
    answered = await answer(http, await challenge(http, enrolled.user.email), recoveryCode=code)
    assert answered.status_code == 200, answered.text
    again = await answer(http, await challenge(http, enrolled.user.email), recoveryCode=code)
    assert_problem(again, 401, "unauthorized")
    assert await events(owner, enrolled.user, "recovery") == ["recovery.used"]
    assert (await notices(owner, enrolled.user))[-1] == "recovery_code_used"


async def test_twenty_uses_of_a_recovery_code_are_one(
    http: httpx.AsyncClient, enrolled: Enrolled, owner: asyncpg.Connection
) -> None:
    """[49]: each for a challenge of its own."""
    given, before = await add_challenges(owner, enrolled.user, 20), await live_sessions(owner, enrolled.user)
    code = enrolled.recovery_codes[0]
    answers = await asyncio.gather(*(answer(http, one, recoveryCode=code) for one in given))
    assert [one.status_code for one in answers].count(200) == 1
    assert await live_sessions(owner, enrolled.user) == before + 1
