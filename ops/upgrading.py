"""What a running place of an older version needs before its schema is brought up to this one's."""

from ops import layout, roles, state, taken
from ops.errors import LauncherError
from ops.instance import Instance
from ops.settings import Settings


async def establish_roles(there: Instance, chosen: Settings) -> None:
    """Make its database's roles exist, as a start does: the older version did not know those that came since.

    Their passwords are remembered first, so that the next start knows them. Raises LauncherError.
    """
    remembered = state.load(there.place.state)
    if remembered is None:
        raise LauncherError(f"{there.place.state} is missing: without its secrets no role can be made.")
    own = any(process.name == "postgres" for process in there.status.processes)
    administrator = layout.remembered_postgres(remembered).url if own else chosen.database_url
    if administrator is None:
        raise LauncherError("DATABASE_URL is not set in this environment: export it as for ./mana up.")
    state.save(there.place.state, remembered)
    await roles.establish(
        administrator,
        there.addresses.database_name,
        remembered.secrets.roles,
        take_over=own or taken.may_take_over(),
    )
