"""A database that somebody else made is closed like one of ours: in a temporary schema one could put traps."""

from __future__ import annotations

import asyncpg

from ops import roles
from ops.state import DATABASE_ROLES
from tests.integration.ledger.server import Server

NAME = "mana_of_others"


async def test_everybodys_rights_are_taken_away(server: Server) -> None:
    administrator = await asyncpg.connect(server.admin)
    may = "SELECT has_database_privilege($1, $2, $3)"
    await administrator.execute(f"CREATE DATABASE {NAME}")
    try:
        assert await administrator.fetchval(may, "mana_api", NAME, "TEMPORARY") is True
        await roles.establish(server.admin, NAME, dict.fromkeys(DATABASE_ROLES, "test"))
        assert await administrator.fetchval(may, "mana_api", NAME, "TEMPORARY") is False
        for role in DATABASE_ROLES:
            assert await administrator.fetchval(may, role, NAME, "CONNECT") is True
        assert await administrator.fetchval(may, "mana_owner", NAME, "CREATE") is True
    finally:
        await administrator.execute(f"DROP DATABASE {NAME}")
        await administrator.close()
