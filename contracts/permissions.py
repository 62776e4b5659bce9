"""Who may do what: the one place where a login at the broker becomes a right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from contracts.apps import NO_APPS, App, Apps, Permission, app_named, app_of, own_names, secret_of
from contracts.commands import (
    OUR_OWN,
    Adjust,
    Command,
    Freeze,
    Grant,
    OfPurchase,
    Open,
    ReadBalance,
    Refund,
    SetThreshold,
    Unfreeze,
    Use,
)
from contracts.errors import Error
from contracts.replies import Origin
from contracts.topology import (
    ADMIN_LOGIN,
    DIRECT_REPLY_TO,
    FRONT_LOGIN,
    PAYMENTS_LOGIN,
    REDRIVE_LOGIN,
    RELAY_LOGIN,
    WORKER_LOGIN,
)

_USERS_COMMANDS: Final = (Use, Refund, ReadBalance)
_FRONTS_OWN_COMMANDS: Final = (Open, Freeze, Unfreeze, SetThreshold)
_NEEDED: Final[dict[type[Command], Permission]] = {
    Use: "credits:use",
    Refund: "credits:refund",
    Grant: "credits:grant",
    Adjust: "credits:adjust",
}
"""What an app needs for a command. Reading a balance needs nothing; what else there is needs ``admin``, and no
permission is enough for what only our own processes send."""
SIGNUP_BONUS_KEY: Final = "mana:signup-bonus"
"""The one key that the front may grant under: so once for each user, however often it is asked."""


@dataclass(frozen=True)
class Logins:
    """The logins that are not apps'. Any other login is that of the app which stands before its first dot."""

    admin: frozenset[str] = frozenset({ADMIN_LOGIN})
    front: frozenset[str] = frozenset({FRONT_LOGIN, RELAY_LOGIN})
    system: frozenset[str] = frozenset({WORKER_LOGIN})
    payments: frozenset[str] = frozenset({PAYMENTS_LOGIN})
    redrive: frozenset[str] = frozenset({REDRIVE_LOGIN})
    """May say who sent a command first, and is judged as that one, where ``may_be_redriven`` says so of it. It has no
    rights of its own."""

    def may_use_reserved_keys(self, login: str | None, on_behalf: object = None) -> bool:
        """True for our own processes speaking for themselves, which alone may use keys with our prefixes."""
        return login in self.system or login in self.payments or (login in self.front and on_behalf is None)

    def may_be_redriven(self, login: str) -> bool:
        """Whether a command may be sent again in this login's name by whoever redrives: an app's, and those of our
        processes whose commands nobody else would send again. The clock sends its own anew each minute, and an
        administrator is there to do it by hand, so that nobody else gets what these may."""
        return self.are_apps(login) or login in self.front or login in self.payments

    def are_apps(self, login: str) -> bool:
        """Whether the login is an app's: neither an administrator's nor one of our own."""
        ours = (self.admin, self.front, self.system, self.payments, self.redrive)
        return not any(login in some for some in ours)


@dataclass(frozen=True)
class Actor:
    """Who asks, once allowed: the transaction's origin, and the one app whose usages it may touch (``None``: any)."""

    origin: Origin
    app_id: str | None = None


def authorise(
    login: str | None, command: Command, logins: Logins, apps: Apps = NO_APPS, on_behalf: object = None
) -> Actor | Error:
    """Decides whether the login, which the broker proved, may send the command.

    ``on_behalf`` is the app for which it says to ask: believed of the front alone, and meaningless from all others.
    """
    if not login:
        return Error("forbidden", "the property user_id, which proves the login, is missing")
    if login in logins.system:
        return Actor("system")
    app = app_asking(login, logins, apps, on_behalf)
    if app is not None:
        return _of_app(app, command, secret_of(login))
    if login in logins.front and on_behalf is not None:
        return Error("forbidden", "the app is not registered")
    if login in logins.payments and isinstance(command, OfPurchase):
        return Actor("system")
    if login in logins.front and _is_fronts_own(command):
        return Actor("system")
    if login in logins.front and isinstance(command, _USERS_COMMANDS):
        return Actor("user")
    if login in logins.admin and not isinstance(command, OUR_OWN):
        return Actor("app")
    return Error("forbidden", f"the login may not send {command.type}")


def app_asking(login: str | None, logins: Logins, apps: Apps, on_behalf: object = None) -> App | None:
    """The app that asks; ``None`` for an administrator and for our own. The front can ask for registered apps alone."""
    if login in logins.front and on_behalf is not None:
        return apps.get(on_behalf) if isinstance(on_behalf, str) else None
    return app_named(apps, app_of(login)) if login and logins.are_apps(login) else None


def _of_app(app: App, command: Command, secret: str) -> Actor | Error:
    if app.revoked or secret in app.revoked_secrets:
        return Error("forbidden", "the rights of the app, or of the login's secret, have been revoked")
    if isinstance(command, OUR_OWN):
        return Error("forbidden", f"no app may send {command.type}")
    if "admin" in app.permissions:
        return Actor("app")
    needed = _NEEDED.get(type(command), "admin")
    if not isinstance(command, ReadBalance) and not app.may(needed):
        return lacks(needed, f"the app may not send {command.type} without the permission {needed}")
    if isinstance(command, Use) and command.app_id != app.id:
        return Error("app_mismatch", "the login belongs to another app than appId")
    return Actor("app", app_id=app.id)


def lacks(permission: Permission, message: str) -> Error:
    """``forbidden`` for want of a permission, which is named for programs too."""
    return Error("forbidden", message, {"permission": permission})


def may_be_answered_at(reply_to: str | None, login: str | None, logins: Logins, apps: Apps) -> bool:
    """Whether the login may have its replies sent there: a worker's own rights reach every queue, a client's must not.

    A direct reply goes to who asked, wherever that is. Else a registered app has its own prefix, and so has every login
    that is shaped like one of its secrets; a plain login that is no registered app's has all names but theirs. Who
    proves no login might be any of these.
    """
    if not reply_to or reply_to.startswith(DIRECT_REPLY_TO):
        return True
    if not login:
        return False
    if not logins.are_apps(login):
        return True
    app_id = app_of(login)
    if reply_to.startswith(own_names(app_id)):
        return True
    return app_id == login and login not in apps and app_of(reply_to) not in apps


def _is_fronts_own(command: Command) -> bool:
    """True for what the front decides itself, by its own rights: opening, an administrator's ban and its end, the bonus
    for signing up, and the threshold that the user wants."""
    if isinstance(command, Grant):
        return command.idempotency_key == SIGNUP_BONUS_KEY
    return isinstance(command, _FRONTS_OWN_COMMANDS)
