"""What to say where a server's roles or logins are somebody else's."""

import os

from ops.errors import LauncherError


def may_take_over() -> bool:
    """Whether that was asked for. Said for one start, as the refusal tells; no setting, for it must not stay."""
    return os.environ.get("MANA_TAKE_OVER") == "1"


def refusal(server: str, where: str, kind: str, name: str) -> LauncherError:
    """`server` at `where` has a `kind` called `name` whose password is not the one that we remember."""
    return LauncherError(
        f"{server} at {where} has the {kind} {name} already, with a password that is not this instance's: another"
        " Mana uses that server; give this one a server of its own, or delete the other's"
        f" {kind}s there, or set MANA_TAKE_OVER=1 to take them over (the other one can then not log in any more)."
    )
