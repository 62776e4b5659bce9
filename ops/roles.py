"""The database and its login roles, made with the administrator's address.

What a role may do to tables is the migrations' business; here is only who exists, and who may connect.
"""

import contextlib
from collections.abc import Mapping

import asyncpg

from ops import scram, taken, urls
from ops.errors import LauncherError
from ops.state import DATABASE_ROLES

_SETTINGS: Mapping[str, Mapping[str, str]] = {
    # A worker that falls silent must lose its leases soon: they are advisory locks of its connection.
    "mana_worker": {"idle_session_timeout": "10s", "idle_in_transaction_session_timeout": "10s"},
    # A front that falls silent must not keep its users' rows, nor administration, locked.
    "mana_api": {"idle_in_transaction_session_timeout": "10s"},
}
_ENDING_MILLISECONDS = 10_000
_END_OTHERS = """
SELECT count(*) FILTER (WHERE NOT pg_terminate_backend(pid, $1)) FROM pg_stat_activity
WHERE usename = current_user AND pid <> pg_backend_pid() AND backend_type IN ('client backend', 'walsender')
"""
_DUPLICATE = (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError, asyncpg.DuplicateDatabaseError)


async def establish(
    administrator_url: str, database: str, passwords: Mapping[str, str], *, take_over: bool = False
) -> None:
    """Make roles and database exist, with these passwords. May be repeated.

    Roles belong to the whole server: where one exists with another password, another Mana lives by it, and only
    `take_over` changes it. Raises LauncherError then, and when the server cannot be reached or the administrator
    may not do this.
    """
    try:
        if not take_over:
            await _refuse_others(administrator_url, database, passwords)
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
        for role, settings in _SETTINGS.items():
            for name, value in settings.items():
                await connection.execute(f"ALTER ROLE {role} SET {name} = '{value}'")
        await _establish_database(connection, database)
    finally:
        await connection.close()


async def _refuse_others(administrator_url: str, database: str, passwords: Mapping[str, str]) -> None:
    """Look at all roles before any is made: a refused start changes nothing."""
    connection = await _connect_anywhere(administrator_url, database)
    try:
        rows = await connection.fetch("SELECT rolname FROM pg_roles WHERE rolname = ANY($1)", list(DATABASE_ROLES))
    finally:
        await connection.close()
    present = sorted(row["rolname"] for row in rows)
    for role in present:
        url = urls.with_login(urls.with_database(administrator_url, database), role, passwords[role])
        if not await _logs_in(url):
            raise taken.refusal("PostgreSQL", urls.where(administrator_url), "role", role)


async def change_password(administrator_url: str, database: str, role: str, password: str) -> None:
    """From now on the role logs in with this one; who is in stays in. Raises LauncherError.

    Also the administrator itself, where it has this password already too.
    """
    renewed = urls.with_login(urls.with_database(administrator_url, database), role, password)
    try:
        if role != urls.login_of(administrator_url)[0] or not await _logs_in(renewed):
            connection = await _connect_anywhere(administrator_url, database)
            try:
                await _establish_role(connection, role, password)
            finally:
                await connection.close()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise LauncherError(f"PostgreSQL at {urls.where(administrator_url)} could not be used ({error}).") from error


async def end_sessions(url: str) -> None:
    """End all sessions of the address's login, which needs no more rights than its own. Raises LauncherError."""
    try:
        connection = await asyncpg.connect(url)
        try:
            left = await connection.fetchval(_END_OTHERS, _ENDING_MILLISECONDS)
        finally:
            await connection.close()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise LauncherError(f"PostgreSQL at {urls.where(url)} could not be used ({error}).") from error
    if left:
        raise LauncherError(f"{left} sessions of the role {urls.login_of(url)[0]} at {urls.where(url)} did not end.")


async def _logs_in(url: str) -> bool:
    """Whether the password is right. PostgreSQL asks for it before it looks whether the database may be entered."""
    try:
        connection = await asyncpg.connect(url)
    except asyncpg.InvalidAuthorizationSpecificationError:
        return False
    except (asyncpg.InvalidCatalogNameError, asyncpg.InsufficientPrivilegeError):
        return True
    await connection.close()
    return True


async def _connect_anywhere(administrator_url: str, database: str) -> asyncpg.Connection:
    """Connect to the database if it is there already, else to one that always is."""
    try:
        return await asyncpg.connect(urls.with_database(administrator_url, database))
    except asyncpg.InvalidCatalogNameError:
        return await asyncpg.connect(urls.with_database(administrator_url, "postgres"))


async def _establish_role(connection: asyncpg.Connection, role: str, password: str) -> None:
    # A utility statement takes no parameters, so the server quotes for us.
    record = scram.record(role, password)
    words = await connection.fetchval("SELECT format('ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)", role, record)
    try:
        # At once with its password: a start that is cut off leaves no role that the next one could not log in as.
        await connection.execute(f"CREATE {words}")
    except _DUPLICATE:  # an earlier start's, or that of one that runs beside this one
        await connection.execute(f"ALTER {words}")


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
    # It counts anew into tables of its session's own, before it puts them in place of the real ones.
    await connection.execute(f"GRANT TEMPORARY ON DATABASE {name} TO mana_usage")
