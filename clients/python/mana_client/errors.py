"""What can come of a call other than its result. All of it is a ``ManaError``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final


class ManaError(Exception):
    """Anything that this package raises by itself."""


class NotConnected(ManaError):
    """The client is closed, or could not be connected when it was opened."""


class LoginRefused(ManaError):
    """The broker does not let this login in: its secret was revoked, say. Nothing was sent.

    The client goes on trying, so that it is there again once the login is, or once the address names another one.
    """


class NotAllowed(ManaError):
    """The broker knows the login, and does not let it do this. Nothing was taken, and trying again does not help.

    ``what`` was refused, in the broker's words, such as ``queue 'mail.events'``; ``permission`` is what the app lacks
    for it, ``None`` where none allows it, as with a queue whose name does not begin with the app's id and a dot. Where
    the login has flooded, ``exchange 'credits.commands'`` is refused for some seconds only.
    """

    def __init__(self, what: str, permission: str | None, said: str) -> None:
        lacks = "no permission allows that" if permission is None else f"the app needs the permission {permission}"
        super().__init__(f"{what} is not for this login: {lacks} ({said})")
        self.what: Final = what
        self.permission: Final = permission


class NoAnswer(ManaError):
    """No answer came in time. What only reads has done nothing."""


class OutcomeUnknown(NoAnswer):
    """No answer came in time to a command that writes, or none that can be read, or one that tells nothing of an
    earlier sending: it may have been carried out, now or later, or never.

    Call the same method again with the same arguments and ``key=error.key``, as often and as late as you like: it is
    done once at most, and answered with what came of it.
    """

    def __init__(self, key: str, why: str = "no answer came in time") -> None:
        super().__init__(f"{why}; the same call with key={key!r} asks what came of it")
        self.key: Final = key


class Refused(ManaError):
    """The ledger's answer is no, and nothing was done. Each of the contract's codes has a class of its own.

    ``code`` is for programs, ``str(error)`` for people; ``details`` holds figures, as the contract says for each code.
    """

    code: str = ""

    def __init__(self, message: str, details: Mapping[str, Any] | None = None, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message: Final = message
        self.details: Final[Mapping[str, Any]] = details or {}
        if code is not None:
            self.code = code


class InvalidRequest(Refused):
    """An argument does not fit, or cannot be meant so, such as a refund of more than is left.

    What can be seen without the ledger is raised before anything is sent.
    """

    code = "invalid_request"

    @property
    def errors(self) -> list[tuple[str, str]]:
        """Each field that does not fit, by its name in the message, and what is wrong with it."""
        return [(error["field"], error["message"]) for error in self.details.get("errors", ())]


class InsufficientCredits(Refused):
    """The account holds less than was asked for."""

    code = "insufficient_credits"

    @property
    def available(self) -> int:
        """Credits that the account holds, paid and free together."""
        return self.details["available"]

    @property
    def required(self) -> int:
        """Credits that were asked for."""
        return self.details["required"]


class UnknownUser(Refused):
    """There is no such account."""

    code = "unknown_user"


class AccountFrozen(Refused):
    """An administrator has frozen the account: it can be given credits, and cannot use any."""

    code = "account_frozen"


class IdempotencyConflict(Refused):
    """The key was used before, for another operation of this user."""

    code = "idempotency_conflict"


class AppMismatch(Refused):
    """The login is another app's."""

    code = "app_mismatch"


class Forbidden(Refused):
    """The login may not do this."""

    code = "forbidden"

    @property
    def permission(self) -> str | None:
        """What the app lacks for it; ``None`` where no permission allows it."""
        return self.details.get("permission")


class DeadlineExceeded(Refused):
    """The command was first seen after its deadline."""

    code = "deadline_exceeded"


class Overloaded(Refused):
    """The queue is full, the app's own limit is reached, or the broker cannot be reached: it was not accepted.

    The client has tried again until the time was over. Later the same call with the same key may succeed.
    """

    code = "overloaded"


class InternalError(Refused):
    """The service's fault. Nothing was changed."""

    code = "internal"


class InvalidToken(ManaError):
    """The token is not good: forged, over, of another issuer, for another audience, or none at all."""


class KeysUnavailable(ManaError):
    """The issuer's keys could not be had, so nothing can be said about a token."""


_CLASSES: Final[Mapping[str, type[Refused]]] = {
    refusal.code: refusal
    for refusal in (
        InvalidRequest,
        InsufficientCredits,
        UnknownUser,
        AccountFrozen,
        IdempotencyConflict,
        AppMismatch,
        Forbidden,
        DeadlineExceeded,
        Overloaded,
        InternalError,
    )
}


def refusal_of(code: str, message: str, details: Mapping[str, Any]) -> Refused:
    """The error of a code; a plain ``Refused`` for a code that this version does not know."""
    known = _CLASSES.get(code)
    return Refused(message, details, code=code) if known is None else known(message, details)


def invalid_argument(field: str, problem: str) -> InvalidRequest:
    """An argument that is told before anything is sent, in the form in which the ledger tells it."""
    return InvalidRequest(f"{field}: {problem}", {"errors": [{"field": field, "message": problem}]})
