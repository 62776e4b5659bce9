"""An address counts as proven, or takes the old one's place, only by a token that this very transaction spends."""

from __future__ import annotations

from uuid import UUID

import asyncpg
import pytest

from tests.integration.auth.rows import acting, add_token, add_user, address_of, spend

CONFIRM = "SELECT auth.confirm_address($1)"
MOVE = "SELECT auth.move_address($1)"


async def _move(front: asyncpg.Connection, user: UUID, token: UUID) -> None:
    async with acting(front, user):
        await spend(front, token)
        assert await front.fetchval(MOVE, token) is True


@pytest.mark.parametrize("purpose", ["email_verify", "password_reset"])
async def test_a_spent_token_proves_the_address(
    owner: asyncpg.Connection, front: asyncpg.Connection, purpose: str
) -> None:
    user = await add_user(owner, "ada@example.com")
    token = await add_token(owner, user, purpose, "ada@example.com")
    async with acting(front, user):
        assert await front.fetchval(CONFIRM, token) is None, "not spent"
    async with acting(front, user):
        await spend(front, token)
        assert await front.fetchval(CONFIRM, token) is True
    assert await address_of(owner, user) == ("ada@example.com", "ada@example.com", True)


@pytest.mark.parametrize(("purpose", "email"), [("email_verify", "old@example.com"), ("two_factor", "ada@example.com")])
async def test_a_token_of_another_address_or_purpose_proves_nothing(
    owner: asyncpg.Connection, front: asyncpg.Connection, purpose: str, email: str
) -> None:
    """[40] [51]."""
    user = await add_user(owner, "ada@example.com")
    token = await add_token(owner, user, purpose, email)
    async with acting(front, user):
        await spend(front, token)
        assert await front.fetchval(CONFIRM, token) is None
        assert await front.fetchval(MOVE, token) is None
    assert (await address_of(owner, user))[2] is False


async def test_a_token_that_was_spent_before_proves_nothing(
    owner: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    """[39]."""
    user = await add_user(owner, "ada@example.com")
    token = await add_token(owner, user, "email_verify", "ada@example.com")
    async with acting(front, user):
        await spend(front, token)
    async with acting(front, user):
        assert await front.fetchval(CONFIRM, token) is None


@pytest.mark.parametrize("state", ["spent", "expired"])
async def test_a_spent_or_expired_token_is_not_spent_again(
    owner: asyncpg.Connection, front: asyncpg.Connection, state: str
) -> None:
    """[39]."""
    user = await add_user(owner, "ada@example.com")
    token = await add_token(owner, user, "email_verify", "ada@example.com", "-1 s" if state == "expired" else "30 min")
    if state == "spent":
        async with acting(front, user):
            await spend(front, token)
    async with acting(front, user):
        assert await front.fetch("SELECT 1 FROM auth.verification_tokens FOR UPDATE") == []
        await spend(front, token)
        assert await front.fetchval(CONFIRM, token) is None
    assert (await address_of(owner, user))[2] is False


async def test_an_address_does_not_move_under_a_later_epoch(
    owner: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    """[42] [51]."""
    user = await add_user(owner, "ada@example.com")
    token = await add_token(owner, user, "email_change", "eve@example.com")
    await owner.execute("UPDATE auth.users SET credential_epoch = 1")
    async with acting(front, user):
        await spend(front, token)
        assert await front.fetchval(MOVE, token) is None
    assert (await address_of(owner, user))[0] == "ada@example.com"


async def test_a_challenge_names_its_epoch_and_counts_wrong_answers(
    owner: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    user = await add_user(owner)
    token = await add_token(owner, user, "two_factor")
    without = "INSERT INTO auth.verification_tokens (id, user_id, purpose, token_hash, expires_at) VALUES"
    with pytest.raises(asyncpg.NotNullViolationError, match="credential_epoch"):
        async with acting(front, user):
            await front.execute(f"{without} (gen_random_uuid(), $1, 'two_factor', sha256('x'), 'tomorrow')", user)
    async with acting(front, user):
        wrong = "UPDATE auth.verification_tokens SET failures = failures + 1 WHERE id = $1 RETURNING failures"
        assert [await front.fetchval(wrong, token) for _ in range(2)] == [1, 2]


async def test_another_users_token_proves_nothing(owner: asyncpg.Connection, front: asyncpg.Connection) -> None:
    """[40]."""
    ada, eve = await add_user(owner, "ada@example.com"), await add_user(owner, "eve@example.com")
    token = await add_token(owner, ada, "email_verify", "ada@example.com")
    async with acting(front, eve):
        await spend(front, token)
        assert await front.fetchval(CONFIRM, token) is None
    assert await owner.fetchval("SELECT used_at FROM auth.verification_tokens") is None


async def test_an_address_moves(owner: asyncpg.Connection, front: asyncpg.Connection) -> None:
    user = await add_user(owner, "ada@example.com")
    token = await add_token(owner, user, "email_change", "Ada@new.example.com")
    async with acting(front, user):
        assert await front.fetchval(MOVE, token) is None, "not spent"
        await spend(front, token)
        assert await front.fetchval(MOVE, token) is True
    assert await address_of(owner, user) == ("Ada@new.example.com", "ada@new.example.com", True)


async def test_an_address_that_was_taken_meanwhile_does_not_move(
    owner: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    user = await add_user(owner, "ada@example.com")
    token = await add_token(owner, user, "email_change", "new@example.com")
    await add_user(owner, "new@example.com")
    with pytest.raises(asyncpg.UniqueViolationError):
        await _move(front, user, token)
    assert (await address_of(owner, user))[0] == "ada@example.com"


@pytest.mark.parametrize("purpose", ["email_verify", "email_change", "password_reset"])
async def test_the_front_makes_no_token_that_proves_an_address(
    owner: asyncpg.Connection, front: asyncpg.Connection, purpose: str
) -> None:
    """[41]."""
    user = await add_user(owner, "ada@example.com")
    insert = (
        "INSERT INTO auth.verification_tokens (id, user_id, purpose, token_hash, credential_epoch, expires_at)"
        " VALUES (gen_random_uuid(), $1, $2, sha256('x'), 0, now() + interval '5 min')"
    )
    async with acting(front, user):
        await front.execute(insert, user, "two_factor")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with acting(front, user):
            await front.execute(insert, user, purpose)
