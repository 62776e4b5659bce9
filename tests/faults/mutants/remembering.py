"""Faults in what is remembered of a command: its key, its refusal."""

# pyright: reportPrivateUsage=false
# A fault sits inside of what it spoils.

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

from tests.faults.mutants.patching import replace
from workers.ledger import execute
from workers.ledger.execute import Committed, Executor
from workers.ledger.faults import ConnectionLost, TryAgain
from workers.ledger.model import Outcome, Request, State
from workers.ledger.store import loading
from workers.ledger.store.session import Session

KEYS_WITHOUT_CONSTRAINT: Final = (
    "ALTER TABLE credits.transactions DROP CONSTRAINT transactions_one_per_key;"
    "CREATE INDEX transactions_by_key ON credits.transactions (account_id, idempotency_key)"
)
KEYS_WITH_CONSTRAINT: Final = (
    "DROP INDEX credits.transactions_by_key;"
    "ALTER TABLE credits.transactions"
    " ADD CONSTRAINT transactions_one_per_key UNIQUE (account_id, idempotency_key)"
)
"""As it was; not to be had while there are doubled rows."""
_CONNECT_AGAIN_SECONDS: Final = 0.05


def no_unique_key() -> None:
    """A command's key is neither looked up nor unique: what comes again is done again.

    Equation 3 (doubled), and 5 (a repeat makes a transaction of its own). S02 and S01 from ``after_commit`` on, S34.
    Openings are still known by their key: the rules cannot do without.
    """
    replace(loading, "_keys", lambda _: _opening_keys)


def refusals_not_stored() -> None:
    """A refusal is told and forgotten: the command that comes again is decided anew.

    A client is told "not enough credits", and is charged all the same, once there are some. Equation 4. S01 at
    ``after_reply`` or ``before_ack`` with a use that is refused and, in the same batch, a grant behind it: both come
    again, and the use finds the grant.
    """

    def deciding(decide: Callable[..., Outcome]) -> Callable[..., Outcome]:
        def decided(*given: Any, **named: Any) -> Outcome:
            outcome = decide(*given, **named)
            outcome.refusals.clear()
            return outcome

        return decided

    replace(execute, "decide", deciding)


def retry_in_place_after_lost_commit() -> None:
    """A COMMIT whose answer was lost counts as failed: the batch is run once more, on a new connection, at once.

    The library's retry below the idempotency key, which takes the money twice. The retry looks up no keys, and no
    constraint stands in its way; commands that the broker delivers again are known by their keys as ever. Equation 3.
    S08 with COMMIT's answer cut off by the proxy, S19; S06 now and then.

    It is ``retry_in_place`` without the keys that make that one harmless.
    """
    retrying: list[bool] = []

    def looking(keys: Callable[[State, Sequence[Request]], Any]) -> Callable[[State, Sequence[Request]], Any]:
        def looked(state: State, requests: Sequence[Request]) -> Any:
            return (_opening_keys if retrying else keys)(state, requests)

        return looked

    @contextmanager
    def without_keys() -> Generator[None]:
        retrying.append(True)
        try:
            yield
        finally:
            retrying.pop()

    replace(loading, "_keys", looking)
    _retry_in_place(without_keys)


def retry_in_place() -> None:
    """No fault, but a force: a batch whose connection was lost is run once more, on a new one, with leases lost.

    The schema is whole and keys are looked up: what was committed is answered as a replay. Its events leave late, with
    the partition's next row or owner, since nobody publishes from the mark. So the keys alone keep a lost COMMIT from
    being done twice.
    """
    _retry_in_place(nullcontext)


def _retry_in_place(around: Callable[[], AbstractContextManager[None]]) -> None:
    def executing(original: Callable[..., Awaitable[Committed]]) -> Callable[..., Awaitable[Committed]]:
        async def executed(executor: Executor, *given: Any) -> Committed:
            try:
                return await original(executor, *given)
            except ConnectionLost:
                await _connect_again(executor._session)
                with around():
                    return await original(executor, *given)

        return executed

    replace(Executor, "execute", executing)


def _opening_keys(state: State, _: Sequence[Request]) -> set[tuple[str, str]]:
    return {(account.account_id, account.opening_key) for account in state.accounts.values()}


async def _connect_again(session: Session) -> None:
    """The same session, as its users see it, on a new connection; its locks are gone."""
    while True:
        try:
            fresh = await Session.open(os.environ["DATABASE_URL"], application_name=os.environ["MANA_PROCESS_NAME"])
        except TryAgain:
            await asyncio.sleep(_CONNECT_AGAIN_SECONDS)
        else:
            session._connection, session._statements = fresh._connection, fresh._statements
            return
