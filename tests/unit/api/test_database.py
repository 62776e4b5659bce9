"""Which of the driver's words say that the database is away, and nothing about the request."""

from __future__ import annotations

import asyncpg
import pytest

from api.database import translated
from api.errors import Unavailable


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(),
        TimeoutError(),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress"),
        asyncpg.AdminShutdownError(),
        asyncpg.TooManyConnectionsError(),
        asyncpg.CannotConnectNowError(),
        asyncpg.ConnectionDoesNotExistError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_absent_database_is_told_as_such(error: Exception) -> None:
    with pytest.raises(Unavailable), translated():
        raise error


def test_what_the_request_did_is_not() -> None:
    with pytest.raises(asyncpg.UniqueViolationError), translated():
        raise asyncpg.UniqueViolationError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (asyncpg.CheckViolationError("violates check"), "violates check (SQLSTATE 23514, constraint users_x)"),
        (asyncpg.DataError("invalid input: 'canary'"), "a value that cannot be taken (SQLSTATE 22000)"),
    ],
)
@pytest.mark.checklist(67)
def test_what_it_says_of_rows_goes_no_further(error: asyncpg.PostgresError, told: str) -> None:
    """What stands in them is told in the details, or in the sentence where a value cannot be read."""
    vars(error).update(detail="Failing row contains (canary).", hint="Like canary?")
    if isinstance(error, asyncpg.CheckViolationError):
        vars(error).update(constraint_name="users_x")
    with pytest.raises(type(error)) as raised, translated():
        raise error
    assert str(raised.value) == told
