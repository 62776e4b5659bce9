"""Devices that a user has signed in from are known again, and so many of them at most."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from api.auth.devices import REMEMBERED_MAX, Devices
from api.auth.model import Device
from tests.integration.auth.rooms import SECRET
from tests.integration.auth.rows import acting, add_user

DEVICES = Devices(SECRET)
LAPTOP = Device("laptop", None)


async def _seen(front: asyncpg.Connection, user: UUID, device: Device) -> None:
    async with acting(front, user):
        await DEVICES.remember(front, user, device)


async def test_a_client_that_is_always_new_does_not_fill_the_table(
    owner: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    """The newest stay; another user's are not touched."""
    user, other = await add_user(owner), await add_user(owner)
    await _seen(front, other, LAPTOP)
    for number in range(REMEMBERED_MAX + 5):
        await _seen(front, user, Device(f"device {number}", None))
    rows = await owner.fetch("SELECT device_hash FROM auth.devices WHERE user_id = $1", user)
    newest = {DEVICES.hash_of(Device(f"device {number}", None)) for number in range(5, REMEMBERED_MAX + 5)}
    assert {row["device_hash"] for row in rows} == newest
    assert await owner.fetchval("SELECT count(*) FROM auth.devices WHERE user_id = $1", other) == 1


async def test_a_device_that_is_used_stays_among_the_newest(
    owner: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    """When it was last seen is noted once a day: a row is not written anew at each sign-in."""
    user = await add_user(owner)
    await _seen(front, user, LAPTOP)
    row = "SELECT last_seen_at > now() - interval '1 hour' AS today, xmin::text FROM auth.devices WHERE user_id = $1"
    before = await owner.fetchrow(row, user)
    await _seen(front, user, LAPTOP)
    assert await owner.fetchrow(row, user) == before
    await owner.execute("UPDATE auth.devices SET last_seen_at = now() - interval '25 hours' WHERE user_id = $1", user)
    await _seen(front, user, LAPTOP)
    after = await owner.fetchrow(row, user)
    assert after is not None
    assert after["today"] is True


async def test_who_does_not_say_which_device_it_is_is_none(
    owner: asyncpg.Connection, front: asyncpg.Connection
) -> None:
    user = await add_user(owner)
    await _seen(front, user, Device(None, "Ada's phone"))
    assert await owner.fetch("SELECT 1 FROM auth.devices") == []
