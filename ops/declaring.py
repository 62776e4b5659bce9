"""What of an instance's lies at its broker."""

import msgspec

from ops import broker_logins, state, taken, topology, urls
from ops.backup import letters
from ops.layout import Layout
from ops.management import Management
from ops.place import Place
from ops.settings import Settings
from ops.state import State


async def declare(place: Place, plan: Layout, remembered: State, partitions: int, settings: Settings) -> None:
    """Make it exist, and what a restored place has yet to tell its broker. Raises LauncherError."""
    passwords = {login.name: remembered.secrets.login(login.name) for login in broker_logins.OUR_LOGINS}
    state.save(place.state, remembered)
    async with management(plan) as broker:
        if settings.mana_single_broker_node:
            await topology.refuse_several_nodes(broker)
        if not owns(plan.rabbitmq):
            await broker_logins.refuse_others(broker, passwords)
        vhost = urls.vhost_of(plan.addresses.amqp)
        await topology.declare(broker, vhost, partitions, passwords, settings.bounds)
        if place.definitions.exists():
            await broker.post("definitions", body=msgspec.json.decode(place.definitions.read_bytes()))
            place.definitions.unlink()
    if place.dead_letters.exists():
        await letters.put_back(plan.addresses, place.dead_letters)
        place.dead_letters.unlink()


def owns(server: object) -> bool:
    """Whether roles and logins are ours to change: on a private server, or where that was asked for."""
    return server is not None or taken.may_take_over()


def management(plan: Layout) -> Management:
    """The broker's, as its administrator."""
    return Management.of(plan.addresses.management, plan.addresses.amqp)
