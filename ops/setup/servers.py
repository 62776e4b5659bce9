"""Makes roles, schema, topology and logins exist in servers that somebody else runs."""

from pathlib import Path

from ops import broker_logins, given, layout, roles, schema, state, taken, topology, urls
from ops.errors import LauncherError
from ops.layout import Layout
from ops.management import Management
from ops.settings import Settings
from ops.setup import composed


async def prepare(state_file: Path, partitions: int, chosen: Settings) -> None:
    """Make everything exist as the state says. Raises LauncherError when a server is not there, or differs."""
    remembered = state.load(state_file)
    if remembered is None:
        raise LauncherError(f"There is no {state_file}: make it with python -m ops.setup secrets {state_file.parent}.")
    chosen = composed.servers(remembered.secrets, chosen)
    passwords = {login.name: remembered.secrets.login(login.name) for login in broker_logins.OUR_LOGINS}
    plan = await given.reached(layout.lay_out(remembered, chosen))
    await _prepare_database(plan, partitions, take_over=taken.may_take_over())
    async with Management.of(plan.addresses.management, plan.addresses.amqp) as broker:
        if chosen.mana_single_broker_node:
            await topology.refuse_several_nodes(broker)
        if not taken.may_take_over():
            await broker_logins.refuse_others(broker, passwords)
        await topology.declare(broker, urls.vhost_of(plan.addresses.amqp), partitions, passwords, chosen.bounds)


async def _prepare_database(plan: Layout, partitions: int, *, take_over: bool) -> None:
    addresses = plan.addresses
    await roles.establish(addresses.database, addresses.database_name, addresses.secrets.roles, take_over=take_over)
    await schema.migrate(addresses.database_as("mana_owner"), partitions)
