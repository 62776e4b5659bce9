"""Who may do what: the one place where a login at the broker becomes a right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts.commands import OUR_OWN, Command, Freeze, Grant, OfPurchase, Open, ReadBalance, Refund, Unfreeze, Use
from contracts.errors import Error
from contracts.replies import Origin
from contracts.topology import ADMIN_LOGIN, FRONT_LOGIN, PAYMENTS_LOGIN, RELAY_LOGIN, WORKER_LOGIN

_APP_COMMANDS: Final = (Use, Refund, ReadBalance)
_FRONTS_OWN_COMMANDS: Final = (Open, Freeze, Unfreeze)
SIGNUP_BONUS_KEY: Final = "mana:signup-bonus"
"""The one key that the front may grant under: so once for each user, however often it is asked."""


@dataclass(frozen=True)
class Logins:
    """The logins that are not apps. Any other login is the app whose id is its name."""

    admin: frozenset[str] = frozenset({ADMIN_LOGIN})
    front: frozenset[str] = frozenset({FRONT_LOGIN, RELAY_LOGIN})
    system: frozenset[str] = frozenset({WORKER_LOGIN})
    payments: frozenset[str] = frozenset({PAYMENTS_LOGIN})

    def may_use_reserved_keys(self, login: str | None) -> bool:
        """True for our own processes, which alone may use keys with our prefixes."""
        return login in self.front or login in self.system or login in self.payments


@dataclass(frozen=True)
class Actor:
    """Who asks, once allowed: the transaction's origin, and the one app whose usages it may touch (``None``: any)."""

    origin: Origin
    app_id: str | None = None


def authorise(login: str | None, command: Command, logins: Logins) -> Actor | Error:
    """Decides whether the login, which the broker proved, may send the command."""
    if not login:
        return Error("forbidden", "the property user_id, which proves the login, is missing")
    if login in logins.system:
        return Actor("system")
    if login in logins.payments and isinstance(command, OfPurchase):
        return Actor("system")
    if login in logins.front and _is_fronts_own(command):
        return Actor("system")
    if login in logins.front and isinstance(command, _APP_COMMANDS):
        return Actor("user")
    if login in logins.admin and not isinstance(command, OUR_OWN):
        return Actor("app")
    if login in logins.front or login in logins.payments or not isinstance(command, _APP_COMMANDS):
        return Error("forbidden", f"the login may not send {command.type}")
    if isinstance(command, Use) and command.app_id != login:
        return Error("app_mismatch", "the login belongs to another app than appId")
    return Actor("app", app_id=login)


def _is_fronts_own(command: Command) -> bool:
    """True for what the front decides itself: opening, an administrator's ban and its end, the bonus for signing up."""
    if isinstance(command, Grant):
        return command.idempotency_key == SIGNUP_BONUS_KEY
    return isinstance(command, _FRONTS_OWN_COMMANDS)
