"""`python -m ops.setup FOLDER`: prepares servers that somebody else runs, once, as docker-compose.yml does.

Makes roles, schema, topology and logins with the administrators' addresses of the environment (DATABASE_URL,
AMQP_URL, RABBITMQ_MANAGEMENT_URL, REDIS_URL), and writes into FOLDER what each process is to be started with:
`api.env`, `relay.env`, `mail.env`, `payments.env`, `apps.env`, `usage.env`, `worker.env` (the clock's too). It
remembers the passwords there, and may be repeated.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from contracts.topology import PARTITIONS_DEFAULT
from ops import broker_logins, envfile, given, layout, roles, schema, settings, state, taken, topology, urls
from ops.errors import LauncherError
from ops.layout import Layout
from ops.management import Management
from ops.programs import ProcessSettings


async def prepare(folder: Path, partitions: int) -> None:
    """Make everything exist. Raises LauncherError when a server is not given, not there, or differs."""
    chosen = settings.read()
    if not (chosen.database_url and chosen.amqp_url and chosen.given_redis):
        raise LauncherError("The set-up needs running servers: name them in DATABASE_URL, AMQP_URL and REDIS_URL.")
    remembered = state.load(folder / "state.json") or state.State(data=str(folder))
    passwords = {login.name: remembered.secrets.login(login.name) for login in broker_logins.OUR_LOGINS}
    state.save(folder / "state.json", remembered)
    plan = await given.reached(layout.lay_out(remembered, chosen))
    await _prepare_database(plan, partitions, take_over=taken.may_take_over())
    login, password = urls.login_of(plan.addresses.amqp)
    async with Management(plan.addresses.management, login, password) as broker:
        if not taken.may_take_over():
            await broker_logins.refuse_others(broker, passwords)
        await topology.declare(broker, urls.vhost_of(plan.addresses.amqp), partitions, passwords, chosen.bounds)
    told = ProcessSettings(plan.addresses, partitions)
    every = {
        "api": told.api(),
        "relay": told.relay(),
        "mail": told.mail(),
        "payments": told.payments(),
        "apps": told.apps(),
        "usage": told.usage(),
        "worker": told.worker(),
    }
    for name, values in every.items():
        envfile.write(folder / f"{name}.env", values)


async def _prepare_database(plan: Layout, partitions: int, *, take_over: bool) -> None:
    addresses = plan.addresses
    await roles.establish(addresses.database, addresses.database_name, addresses.secrets.roles, take_over=take_over)
    await schema.migrate(addresses.database_as("mana_owner"), partitions)


def main() -> int:
    """The program; exit status 1 and one sentence when it could not be done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--partitions", type=int, default=PARTITIONS_DEFAULT)
    asked = parser.parse_args()
    try:
        asyncio.run(prepare(asked.folder, asked.partitions))
    except LauncherError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
