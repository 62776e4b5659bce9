"""Changes of administrators' passwords that were broken off: brought to their end."""

from ops import broker_logins, roles, state
from ops.layout import Layout
from ops.management import Management
from ops.place import Place
from ops.servers import postgres, rabbitmq
from ops.state import State


async def settle_database(place: Place, plan: Layout, remembered: State) -> None:
    """PostgreSQL's administrator has the noted password. Raises LauncherError."""
    if plan.postgres and plan.postgres.former_url:
        await roles.change_password(
            plan.postgres.former_url, "postgres", postgres.ADMINISTRATOR, plan.postgres.password
        )
        _forget(place, remembered, postgres.ADMINISTRATOR)


async def settle_broker(place: Place, plan: Layout, remembered: State) -> None:
    """RabbitMQ's administrator has the noted password. Raises LauncherError."""
    if plan.rabbitmq and plan.rabbitmq.former_url:
        async with Management.of(plan.addresses.management, plan.rabbitmq.former_url) as broker:
            await broker_logins.change_password(broker, rabbitmq.ADMINISTRATOR, plan.rabbitmq.password)
        _forget(place, remembered, rabbitmq.ADMINISTRATOR)


def _forget(place: Place, remembered: State, administrator: str) -> None:
    del remembered.secrets.former[administrator]
    state.save(place.state, remembered)
