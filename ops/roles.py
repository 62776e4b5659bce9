"""The database and its five login roles, made with the administrator's address.

What a role may do to tables is the migrations' business; here is only who exists, and who may connect.
"""

import contextlib
from collections.abc import Mapping

import asyncpg

from ops import urls
from ops.errors import LauncherError
from ops.state import DATABASE_ROLES

# A worker that falls silent must lose its leases soon: they are advisory locks of its connection.
_WORKER_SETTINGS = {"idle_session_timeout": "10s", "idle_in_transaction_session_timeout": "10s"}
_DUPLICATE = (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError, asyncpg.DuplicateDatabaseError)


async def establish(administrator_url: str, database: str, passwords: Mapping[str, str]) -> None:
    """Make roles and database exist, with these passwords. May be repeated.

    Raises LauncherError when the server cannot be reached or the administrator may not do this.
    """
    try:
        await _establish(administrator_url, database, passwords)
    except asyncpg.InsufficientPrivilegeError as error:
        raise LauncherError(
            f"The login of DATABASE_URL may not make roles and databases at {urls.where(administrator_url)}"
            f" ({error}): name an administrator's."
        ) from error
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise LauncherError(
            f"PostgreSQL at {urls.where(administrator_url)} could not be used ({error}): check DATABASE_URL."
        ) from error


async def _establish(administrator_url: str, database: str, passwords: Mapping[str, str]) -> None:
    connection = await _connect_anywhere(administrator_url, database)
    try:
        for role in DATABASE_ROLES:
            await _establish_role(connection, role, passwords[role])
        for name, value in _WORKER_SETTINGS.items():
            await connection.execute(f"ALTER ROLE mana_worker SET {name} = '{value}'")
        await _establish_database(connection, database)
    finally:
        await connection.close()


async def _connect_anywhere(administrator_url: str, database: str) -> asyncpg.Connection:
    """Connect to the database if it is there already, else to one that always is."""
    try:
        return await asyncpg.connect(urls.with_database(administrator_url, database))
    except asyncpg.InvalidCatalogNameError:
        return await asyncpg.connect(urls.with_database(administrator_url, "postgres"))


async def _establish_role(connection: asyncpg.Connection, role: str, password: str) -> None:
    # A duplicate was made by an earlier start, perhaps by one that runs beside this one.
    with contextlib.suppress(*_DUPLICATE):
        await connection.execute(f"CREATE ROLE {role} LOGIN")
    # A utility statement takes no parameters, so the server quotes for us.
    statement = await connection.fetchval(
        "SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)", role, password
    )
    await connection.execute(str(statement))


async def _establish_database(connection: asyncpg.Connection, database: str) -> None:
    name = '"' + database.replace('"', '""') + '"'
    # Without superuser rights one may only give to roles that one is a member of.
    await connection.execute("GRANT mana_owner TO CURRENT_USER")
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
        with contextlib.suppress(*_DUPLICATE):
            await connection.execute(f"CREATE DATABASE {name} OWNER mana_owner")
        await connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
    await connection.execute(f"GRANT ALL ON DATABASE {name} TO mana_owner")
    await connection.execute(f"GRANT CONNECT ON DATABASE {name} TO {', '.join(DATABASE_ROLES)}")
