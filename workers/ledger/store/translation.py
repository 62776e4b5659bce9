"""The one place where errors of the driver become faults of the ledger."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import asyncpg

from workers.ledger.faults import BatchRejected, Broken, ConnectionLost, Fault, TryAgain, fault_of

_FATAL: Final = frozenset({"FATAL", "PANIC"})
"""Severities after which the server closes the connection; the driver may notice that only later."""
_NO_USE_WAITING: Final = frozenset({"28", "3D", "42", "0A", "XX"})
"""Classes that a new try to connect meets again: wrong login, no such database, no right to it."""


@contextmanager
def translated(connection: asyncpg.Connection) -> Generator[None]:
    """Raises the ledger's faults for what the driver raises. Silence of the server ends the connection."""
    try:
        yield
    except asyncpg.PostgresError as error:
        raise _of_server(error, connection) from error
    except asyncpg.InterfaceError as error:
        if isinstance(error, ValueError):  # a value that the driver cannot encode: a command's, not the connection's
            raise BatchRejected(str(error)) from error
        raise _of_line(error, connection) from error
    except (OSError, asyncpg.InternalClientError) as error:  # a time-out is an OSError too
        raise _of_line(error, connection) from error


def _of_server(error: asyncpg.PostgresError, connection: asyncpg.Connection) -> Fault:
    fatal = getattr(error, "severity_en", None) in _FATAL
    sqlstate = getattr(error, "sqlstate", None)
    # Without its details, which quote the row: faults are logged.
    fault = fault_of(sqlstate, str(error.args[0]), connected=not (fatal or connection.is_closed()))
    if isinstance(fault, ConnectionLost):
        connection.terminate()
    return fault


def _of_line(error: Exception, connection: asyncpg.Connection) -> ConnectionLost:
    connection.terminate()
    return ConnectionLost(str(error) or type(error).__name__)


def of_connecting(error: Exception) -> Fault:
    """The fault that a failure to connect stands for: worth a new try (``TryAgain``) or not (``Broken``)."""
    sqlstate = getattr(error, "sqlstate", None) or ""
    told = f"the database cannot be reached: {error or type(error).__name__}"
    if sqlstate[:2] in _NO_USE_WAITING or isinstance(error, ValueError):
        return Broken(told)
    return TryAgain(told)
