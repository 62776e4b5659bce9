"""What an answer means: of a reply over AMQP, of a response over REST; and what several answers mean together."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Raw, Struct

from tests.faults.oracle.journal import JUDGING, Class, Outcome, Told

REFUSALS: Final = frozenset(
    {
        "insufficient_credits",
        "invalid_request",
        "unknown_user",
        "account_frozen",
        "app_mismatch",
        "forbidden",
        "idempotency_conflict",
        "deadline_exceeded",
    }
)
"""What is said of a command that was decided, or could not be, and did nothing. ``internal`` is none of them."""
BEFORE_THE_LEDGER: Final = frozenset({"invalid_request", "app_mismatch", "forbidden"})
"""What may be refused without the database, so that nothing is left of it but the answer."""
UNREADABLE: Final = "unreadable"
"""The code of what came back and is no reply of the contract."""
_NOT_SENT_ON: Final = frozenset({"overloaded", "rate_limited", "unauthorized"})
"""What the front says of a request that it has not passed on."""


class _Transaction(Struct, frozen=True, rename="camel"):
    id: str
    amount: int
    sequence: int
    balance_before: int
    balance_after: int


class _Error(Struct, frozen=True):
    code: str


_members: Final = msgspec.json.Decoder(dict[str, Raw])
_transaction: Final = msgspec.json.Decoder(_Transaction | None)
_error: Final = msgspec.json.Decoder(_Error)


def of_reply(n: int, body: bytes) -> Outcome:
    """What a reply over AMQP says."""
    try:
        members = _members.decode(body)
        if bytes(members["ok"]) == b"true":
            return _done(n, members)
        return _refused(n, bytes(members["error"]))
    except (msgspec.DecodeError, KeyError):
        return Outcome(n, "unknown", UNREADABLE, at=time.time())


def of_response(n: int, status: int, body: bytes) -> Outcome:
    """What the front's answer to a use says; a 202 says nothing yet."""
    if status == 202:
        return Outcome(n, "unknown", "pending", at=time.time())
    try:
        if status == 200:
            return _done(n, _members.decode(body))
        code = _error.decode(body).code
    except msgspec.DecodeError:
        # A proxy's own page, or a response that was cut off: nobody knows.
        return Outcome(n, "unknown", f"status_{status}", at=time.time())
    if code in _NOT_SENT_ON:
        return Outcome(n, "not_accepted", code, at=time.time())
    return Outcome(n, "refused" if code in REFUSALS else "unknown", code, at=time.time())


def of_operation(n: int, body: bytes) -> Outcome:
    """What ``GET operations/{key}`` says of the newest attempt under the key."""
    members = _members.decode(body)
    if bytes(members["status"]) == b'"completed"':
        return msgspec.structs.replace(_done(n, members), digest=None, replayed=None)
    return msgspec.structs.replace(_refused(n, bytes(members["error"])), digest=None)


def class_of(outcomes: Iterable[Outcome]) -> Class:
    """An attempt's class, by all that it was told: a late reply counts for more than the silence before it."""
    told = {outcome.cls for outcome in outcomes}
    for cls in ("acknowledged", "refused", "not_accepted"):
        if cls in told:
            return cls
    return "unknown"


def class_of_key(told: Told, attempts: Iterable[int]) -> Class:
    """A key's class, by its attempts: while one of them is unknown, something may have come of it.

    But what was sent before the judging is through; so where the judge is refused, nothing had come of it.
    """
    judging = told.phases.get(JUDGING)
    classes: set[Class] = set()
    for n in attempts:
        outcomes = told.outcomes.get(n, [])
        classes.add(class_of(outcomes))
        if judging is not None and n > judging and any(map(_denies, outcomes)):
            classes.discard("unknown")
    for cls in ("acknowledged", "unknown", "refused"):
        if cls in classes:
            return cls
    return "not_accepted"


def _denies(outcome: Outcome) -> bool:
    """Whether it says that nothing has been done under the key; a conflict says that something has."""
    return outcome.cls == "refused" and outcome.code != "idempotency_conflict"


def attempts_by_key(told: Told) -> dict[tuple[str, str], list[int]]:
    """The attempts of each (user, key) in the order sent; reads, which have no key, are not in it."""
    found: dict[tuple[str, str], list[int]] = {}
    for n, attempt in told.attempts.items():
        if attempt.key:
            found.setdefault((attempt.user, attempt.key), []).append(n)
    return found


def codes(told: Told, transport: str, since: float = 0.0, until: float = float("inf")) -> Counter[str]:
    """What the attempts over a transport that were sent between these times were told: the codes, or the classes.

    Only the first answer to each counts; one without an answer is ``silence``. Times in seconds since 1970.
    """
    counted: Counter[str] = Counter()
    for n, attempt in told.attempts.items():
        if attempt.transport == transport and since <= attempt.sent_at < until:
            first = next(iter(told.outcomes.get(n, ())), None)
            counted["silence" if first is None else first.code or first.cls] += 1
    return counted


def unknown_keys(told: Told) -> list[tuple[str, str]]:
    """The keys of which nobody knows yet what became of them."""
    return [key for key, attempts in attempts_by_key(told).items() if class_of_key(told, attempts) == "unknown"]


def _done(n: int, members: dict[str, Raw]) -> Outcome:
    transaction = _transaction.decode(members.get("transaction") or b"null")
    digest = sha256()
    for name, value in members.items():
        if name not in {"ok", "replayed"}:
            digest.update(name.encode() + b"=" + bytes(value))
    replayed = members.get("replayed")
    return Outcome(
        n,
        "acknowledged",
        transaction_id=None if transaction is None else transaction.id,
        sequence=None if transaction is None else transaction.sequence,
        amount=None if transaction is None else transaction.amount,
        balance_before=None if transaction is None else transaction.balance_before,
        balance_after=None if transaction is None else transaction.balance_after,
        replayed=None if replayed is None else bytes(replayed) == b"true",
        digest=digest.hexdigest(),
        at=time.time(),
    )


def _refused(n: int, error: bytes) -> Outcome:
    code = _error.decode(error).code
    cls: Class = "refused" if code in REFUSALS else "unknown"
    return Outcome(n, cls, code, digest=sha256(error).hexdigest(), at=time.time())
