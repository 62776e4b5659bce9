"""What can fail about a batch, by what is to be done about it. A refusal is no fault: it is a reply.

None of these says that a command was not carried out where a COMMIT was under way: only its key can tell.
"""

from __future__ import annotations

from collections.abc import Iterable


class Fault(Exception):  # noqa: N818 - an "error" is what a refusal carries
    """Any failure of the ledger; nothing may be answered or acknowledged on account of it."""


class LeaseLost(Fault):
    """Partitions that belong to someone else by now: close their channels, forget their commands; others go on."""

    def __init__(self, partitions: Iterable[int]) -> None:
        self.partitions: frozenset[int] = frozenset(partitions)
        named = ", ".join(str(partition) for partition in sorted(self.partitions))
        super().__init__(f"the lease of partition {named} is not ours any more")


class ConnectionLost(Fault):
    """The connection is gone, and all leases with it. A COMMIT that was under way may have happened or not."""


class TryAgain(Fault):
    """Nothing was done, and it was not the commands' fault: the same batch may succeed a little later."""


class Broken(Fault):
    """The program or the schema is wrong, or the server is: stop consuming, tell that we are not ready."""


class BatchRejected(Fault):
    """The database does not take what these commands come to: one of them is the culprit.

    ``conflict``: by a row that is there already (SQLSTATE 23505), and may have come in since they were looked up.
    """

    def __init__(self, told: str, *, conflict: bool = False) -> None:
        super().__init__(told)
        self.conflict = conflict


class NotDurable(Fault):
    """The server or its schema is not what committed credits can rest on: refuse to run."""


_TRY_AGAIN = frozenset({"08", "25", "40", "53", "55", "57", "58"})
_BROKEN = frozenset({"0A", "42", "XX"})
_CONFLICT = "23505"
_CONNECTION_GONE = frozenset({"08003", "08006", "25006"})
"""The first two the driver makes itself, when its connection has ended. The third comes from a server that is read-only
now, such as a primary after a failover: only a new connection finds the one that takes over."""


def fault_of(sqlstate: str | None, message: str, *, connected: bool) -> Fault:
    """The fault that an error of PostgreSQL stands for; ``connected`` tells whether its connection lives on."""
    code = sqlstate or "XX000"
    told = f"{message} (SQLSTATE {code})"
    if not connected or code in _CONNECTION_GONE:
        return ConnectionLost(told)
    if code[:2] in _TRY_AGAIN:
        return TryAgain(told)
    if code[:2] in _BROKEN:
        return Broken(told)
    return BatchRejected(told, conflict=code == _CONFLICT)
