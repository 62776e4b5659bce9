"""Changes the passwords of a running instance, and no request fails by it.

Each login belongs to one kind of process alone. So these are ended in order, the password is changed, and they start
with the new one: none ever runs with one that is no good any more. What comes meanwhile waits, at the front's door,
which stays open, and in the queues. Whoever else was in by an old password is put out.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, Literal

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from contracts.topology import (
    ADMIN_LOGIN,
    FRONT_LOGIN,
    LOGINS,
    MAIL_LOGIN,
    PAYMENTS_LOGIN,
    RELAY_LOGIN,
    USAGE_LOGIN,
    WORKER_LOGIN,
)
from ops import broker_logins, roles, urls
from ops.addresses import Addresses
from ops.child import Child
from ops.errors import LauncherError
from ops.layout import POOLED_ROLES, Layout
from ops.management import Management
from ops.program import Probe
from ops.programs import Programs
from ops.servers import postgres
from ops.servers.redis import Redis as RedisServer
from ops.state import DATABASE_ROLES, DatabaseRole, State, new_password

Part = Literal["postgres", "rabbitmq", "redis"]
PARTS: Final[tuple[Part, ...]] = ("postgres", "rabbitmq", "redis")
_PATIENCE: Final = 90.0


class Wish(msgspec.Struct):
    """What is asked of the supervisor; by its `number` it is known again."""

    number: str
    parts: list[Part]


@dataclass(frozen=True)
class Kind:
    """Processes that share logins with nobody else."""

    stages: tuple[str, ...]
    role: DatabaseRole
    login: str
    uses_redis: bool = False


KINDS: Final = (
    Kind(("api",), "mana_api", FRONT_LOGIN, uses_redis=True),
    Kind(("relay",), "mana_relay", RELAY_LOGIN),
    Kind(("mail",), "mana_mail", MAIL_LOGIN),
    Kind(("payments",), "mana_payments", PAYMENTS_LOGIN),
    Kind(("usage",), "mana_usage", USAGE_LOGIN),
    Kind(("apps",), "mana_apps", ADMIN_LOGIN),
    Kind(("workers", "clock"), "mana_worker", WORKER_LOGIN),
)
ROLES_OF_NO_PROCESS: Final[tuple[DatabaseRole, ...]] = tuple(
    role for role in DATABASE_ROLES if role not in {kind.role for kind in KINDS}
)
LOGINS_OF_NO_PROCESS: Final = tuple(login.name for login in LOGINS if login.name not in {kind.login for kind in KINDS})


class Rotation:
    """Of one running instance. `stages` are its processes, `save` keeps what it remembers and tells its addresses."""

    def __init__(
        self,
        plan: Layout,
        remembered: State,
        programs: Programs,
        stages: Mapping[str, Sequence[Child]],
        save: Callable[[Addresses], None],
    ) -> None:
        self._plan = plan
        self._remembered = remembered
        self._programs = programs
        self._stages = stages
        self._save = save

    async def run(self, parts: Collection[Part]) -> None:
        """Change them. Raises LauncherError; what was changed until then stays so, and everything runs."""
        if "redis" in parts:
            self._own_redis()
        await self._end_what_was_broken_off()
        for kind in KINDS:
            async with self._held(kind):
                await self._change(kind, parts)
        if "postgres" in parts:
            for role in ROLES_OF_NO_PROCESS:
                await self._change_role(role)
            await self._change_database_administrator()
        if "rabbitmq" in parts:
            for login in LOGINS_OF_NO_PROCESS:
                await self._change_login(login)

    async def _end_what_was_broken_off(self) -> None:
        """An administrator's change that failed, after its server may have heard of it: who changes anything needs the
        password that is good."""
        former = self._remembered.secrets.former
        if postgres.ADMINISTRATOR in former:
            await self._change_database_administrator()
        for kind in KINDS:
            if kind.login == ADMIN_LOGIN and ADMIN_LOGIN in former:
                async with self._held(kind):
                    await self._change_broker_administrator()

    @asynccontextmanager
    async def _held(self, kind: Kind) -> AsyncGenerator[None]:
        children = [child for stage in kind.stages for child in self._stages[stage]]
        await asyncio.gather(*(child.hold() for child in children))
        try:
            yield
        finally:
            await asyncio.gather(*(child.release(_PATIENCE) for child in children))

    async def _change(self, kind: Kind, parts: Collection[Part]) -> None:
        if "postgres" in parts:
            await self._change_role(kind.role)
        if "rabbitmq" in parts:
            await (self._change_broker_administrator() if kind.login == ADMIN_LOGIN else self._change_login(kind.login))
        if "redis" in parts and kind.uses_redis:
            await self._change_redis()

    async def _change_role(self, role: DatabaseRole) -> None:
        addresses, password = self._plan.addresses, new_password()
        await roles.change_password(addresses.database, addresses.database_name, role, password)
        self._remembered.secrets.roles[role] = password
        self._save(addresses)
        async with self._pooler_renewed(role, password):
            await roles.end_sessions(addresses.database_as(role))

    @asynccontextmanager
    async def _pooler_renewed(self, role: DatabaseRole, password: str) -> AsyncGenerator[None]:
        """Starts it again at the end, for its clients' connections outlive those to the server. Those end before: it
        waits for transactions."""
        if self._plan.pgbouncer is None or role not in POOLED_ROLES:
            yield
            return
        pooler = replace(self._plan.pgbouncer, logins={**self._plan.pgbouncer.logins, role: password})
        self._plan = replace(self._plan, pgbouncer=pooler)
        program = await pooler.prepare()
        try:
            yield
        finally:
            for child in self._stages["pooler"]:
                child.renew(program)
                await child.hold()
                await child.release(_PATIENCE)

    async def _change_login(self, login: str) -> None:
        addresses, password = self._plan.addresses, new_password()
        async with Management.of(addresses.management, addresses.amqp) as broker:
            await broker_logins.change_password(broker, login, password)
            self._remembered.secrets.logins[login] = password
            self._save(addresses)
            await broker_logins.end_connections(broker, login)

    async def _change_database_administrator(self) -> None:
        server, secrets = self._plan.postgres, self._remembered.secrets
        if server is None:
            return
        # Noted before it is done: nobody else could let us in again.
        if postgres.ADMINISTRATOR not in secrets.former:
            secrets.former[postgres.ADMINISTRATOR] = secrets.postgres_admin
            secrets.postgres_admin = new_password()
            self._save(self._plan.addresses)
        addresses, renewed = self._plan.addresses, replace(server, password=secrets.postgres_admin, former=None)
        await roles.change_password(
            addresses.database, addresses.database_name, postgres.ADMINISTRATOR, renewed.password
        )
        del secrets.former[postgres.ADMINISTRATOR]
        database = urls.with_database(renewed.url, addresses.database_name)
        self._plan = replace(self._plan, postgres=renewed, addresses=replace(addresses, database=database))
        self._renewed("postgres", renewed.probe)
        await roles.end_sessions(database)

    async def _change_broker_administrator(self) -> None:
        server, secrets = self._plan.rabbitmq, self._remembered.secrets
        if server is None:
            return
        if ADMIN_LOGIN not in secrets.former:
            secrets.former[ADMIN_LOGIN] = secrets.logins[ADMIN_LOGIN]
            secrets.logins[ADMIN_LOGIN] = new_password()
            self._save(self._plan.addresses)
        addresses, renewed = self._plan.addresses, replace(server, password=secrets.logins[ADMIN_LOGIN], former=None)
        async with Management.of(addresses.management, addresses.amqp) as broker:
            await broker_logins.change_password(broker, ADMIN_LOGIN, renewed.password)
        del secrets.former[ADMIN_LOGIN]
        self._plan = replace(self._plan, rabbitmq=renewed, addresses=replace(addresses, amqp=renewed.url))
        self._renewed("rabbitmq", renewed.probe)
        async with Management.of(addresses.management, renewed.url) as broker:
            await broker_logins.end_connections(broker, ADMIN_LOGIN)

    def _renewed(self, server: str, probe: Probe) -> None:
        """An administrator's password is another now: whoever looks after that server is told, and all others."""
        for child in self._stages["servers"]:
            if child.program.name == server:
                child.renew(replace(child.program, probe=probe))
        self._programs.tell(self._plan.addresses)
        self._save(self._plan.addresses)

    def _own_redis(self) -> RedisServer:
        if self._plan.redis is None:
            raise LauncherError("Redis was given by REDIS_URL: its password is its owner's to change.")
        return self._plan.redis

    async def _change_redis(self) -> None:
        present = self._own_redis()
        server = replace(present, password=new_password())
        try:
            async with Redis.from_url(present.url) as connection:
                await connection.config_set("requirepass", server.password)
                await self._note_redis(server)
                await connection.execute_command("CLIENT", "KILL", "USER", "default", "SKIPME", "yes")
        except RedisError as error:
            raise LauncherError(f"Redis did not take a new password ({error}).") from error

    async def _note_redis(self, server: RedisServer) -> None:
        """At once, for nobody else knows its password."""
        self._remembered.secrets.redis = server.password
        addresses = replace(self._plan.addresses, redis=server.url)
        self._plan = replace(self._plan, redis=server, addresses=addresses)
        self._programs.tell(addresses)
        self._save(addresses)
        program = await server.prepare()
        for child in self._stages["servers"]:
            if child.program.name == program.name:
                child.renew(program)
