"""Chooses, at each start, what the instance's servers are: given ones, or private ones on free ports."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from ops import ports, urls
from ops.addresses import DATABASE, Addresses
from ops.errors import LauncherError
from ops.identity import Identity
from ops.place import REACHABLE, Place, new_data_outside
from ops.program import Program
from ops.servers import postgres, rabbitmq
from ops.servers.alertmanager import Alertmanager
from ops.servers.pgbouncer import PgBouncer
from ops.servers.postgres import Postgres
from ops.servers.prometheus import Prometheus, Targets
from ops.servers.rabbitmq import RabbitMQ, RabbitPorts
from ops.servers.redis import Redis
from ops.settings import Settings
from ops.state import DatabaseRole, PortName, State

_SERVER_USERS = ("postgres", "rabbitmq", "redis")
_BROKERS_PORTS: tuple[PortName, ...] = ("amqp", "management", "prometheus", "stream", "dist", "epmd")


POOLED_ROLES: tuple[DatabaseRole, ...] = ("mana_api",)
"""Whose connections may go through a pooler of transactions: the others hold locks and listen."""


@dataclass(frozen=True)
class Pooling:
    """That a pooler is wanted; with so many connections to the server, or as many as the shared configuration says."""

    server_connections: int | None = None


@dataclass(frozen=True)
class Layout:
    """The private servers (None where one is given, or none is wanted), and the addresses of all."""

    postgres: Postgres | None
    pgbouncer: PgBouncer | None
    rabbitmq: RabbitMQ | None
    redis: Redis | None
    addresses: Addresses
    management_candidates: list[str]


def first_state(place: Place) -> State:
    """What a first start remembers. Raises LauncherError where data lies that nobody has the passwords of."""
    if place.data_inside.is_dir() and any(place.data_inside.iterdir()):
        raise LauncherError(
            f"{place.data_inside} holds an instance's data, but {place.state} with its passwords is missing:"
            " restore that file, or remove the folder."
        )
    return State(data=str(place.data_inside))


def find_room(state: State, settings: Settings) -> None:
    """Make the data folder, where the servers' own users can reach it; `state.data` says where that is."""
    needed = [
        Identity.of_server(user)
        for user, given in zip(
            _SERVER_USERS, (settings.database_url, settings.amqp_url, settings.given_redis), strict=True
        )
        if not given
    ]
    folder = Path(state.data)
    _passable(folder)
    if all(identity.can_enter(folder) for identity in needed):
        return
    if folder.parent == REACHABLE:
        raise LauncherError(f"The servers' users may not enter {folder}: give its parent folders mode 755.")
    folder.rmdir()
    state.data = str(new_data_outside())
    find_room(state, settings)


def _passable(folder: Path) -> None:
    """Make the folder, and the one above it, such that others may pass through, whatever our umask is."""
    for made in (folder.parent, folder):
        if not made.exists():
            made.mkdir(parents=True)
            made.chmod(0o711)


def lay_out(state: State, settings: Settings, database: str = DATABASE, *, pooling: Pooling | None = None) -> Layout:
    """Decide on servers and ports; the ports are remembered in `state`. `database` is made on a private server.

    `pooling`: fronts reach the database through a pooler.
    """
    for name in _private_ports(settings, pooling):
        choose_port(state, name)
    return laid_out(state, settings, database, pooling=pooling)


def laid_out(state: State, settings: Settings, database: str = DATABASE, *, pooling: Pooling | None = None) -> Layout:
    """What `lay_out` decided: its ports stand in `state`, and the servers may be running there."""
    data = Path(state.data)
    postgres, database_url = _database(data, state, settings, database)
    rabbitmq, amqp, management = _broker(data, state, settings)
    redis, cache = _cache(data, state, settings.given_redis)
    addresses = Addresses(database_url, amqp, management[0], cache, state.secrets, own_broker=rabbitmq is not None)
    pooler = _pooler(data, state, addresses, pooling) if pooling else None
    if pooler:
        addresses = replace(addresses, pooler=f"127.0.0.1:{pooler.port}")
    return Layout(postgres, pooler, rabbitmq, redis, addresses, management)


async def programs(plan: Layout) -> list[tuple[str, Program]]:
    """The private servers, by the stages that they go down in: their files written, and how they are started."""
    found: list[tuple[str, Program]] = []
    if plan.postgres:
        found.append(("servers", await plan.postgres.prepare()))
    if plan.pgbouncer:
        found.append(("pooler", await plan.pgbouncer.prepare()))
    if plan.rabbitmq:
        found += zip(("epmd", "servers"), await plan.rabbitmq.prepare(), strict=True)
    if plan.redis:
        found.append(("servers", await plan.redis.prepare()))
    return found


def _pooler(data: Path, state: State, addresses: Addresses, pooling: Pooling) -> PgBouncer:
    return PgBouncer(
        data / "pgbouncer",
        state.ports["pgbouncer"],
        urls.with_database(addresses.database, addresses.database_name),
        {role: state.secrets.roles[role] for role in POOLED_ROLES},
        pooling.server_connections,
    )


def _database(data: Path, state: State, settings: Settings, name: str) -> tuple[Postgres | None, str]:
    if settings.database_url:
        if isinstance(settings.backup_wal_dir, Path):
            raise LauncherError("BACKUP_WAL_DIR is for a server of our own, and DATABASE_URL names another.")
        return None, settings.database_url
    server = _postgres(data, state, settings)
    return server, urls.with_database(server.url, name)


def private_postgres(data: Path, state: State, settings: Settings) -> Postgres:
    """The place's own server, on a port that is free; it is remembered in `state`."""
    choose_port(state, "postgres")
    return _postgres(data, state, settings)


def _postgres(data: Path, state: State, settings: Settings) -> Postgres:
    return Postgres(
        data / "postgres",
        state.ports["postgres"],
        state.secrets.postgres_admin,
        _wal_archive(state, settings),
        state.mark,
        former=state.secrets.former.get(postgres.ADMINISTRATOR),
    )


def _wal_archive(state: State, settings: Settings) -> Path | None:
    """As the settings say, which is remembered in `state`; where they say nothing, as remembered."""
    if settings.backup_wal_dir is not None:
        state.wal_archive = None if settings.backup_wal_dir == "off" else str(settings.backup_wal_dir)
    return Path(state.wal_archive) if state.wal_archive else None


def remembered_postgres(state: State) -> Postgres:
    """The private server on the port of its last start: the one that runs, where one does."""
    return Postgres(Path(state.data) / "postgres", state.ports["postgres"], state.secrets.postgres_admin)


def _cache(data: Path, state: State, given: str | None) -> tuple[Redis | None, str]:
    if given:
        return None, given
    server = Redis(data / "redis", state.ports["redis"], state.secrets.redis)
    return server, server.url


def _broker(data: Path, state: State, settings: Settings) -> tuple[RabbitMQ | None, str, list[str]]:
    """The server, its administrator's address, and where its management API may be."""
    if settings.amqp_url is None:
        server = remembered_rabbitmq(data, state)
        return server, server.url, [server.management_url]
    if settings.rabbitmq_management_url:
        return None, settings.amqp_url, [settings.rabbitmq_management_url.rstrip("/")]
    return None, settings.amqp_url, urls.management_candidates(settings.amqp_url)


def alerting(state: State, settings: Settings) -> Alertmanager:
    """The private Alertmanager, on the port that stands in `state`."""
    return Alertmanager(Path(state.data) / "alertmanager", state.ports["alertmanager"], settings)


def monitoring(state: State, targets: Targets, every: timedelta, alerts: str) -> Prometheus:
    """The private Prometheus, on the port that stands in `state`. `alerts`: its Alertmanager's address."""
    return Prometheus(Path(state.data) / "prometheus", state.ports["monitoring"], targets, alerts, every)


def choose_port(state: State, name: PortName) -> None:
    """The one of before if it is free, else another; it is remembered in `state`."""
    others = {port for owner, port in state.ports.items() if owner != name}
    state.ports[name] = ports.choose(state.ports.get(name), others)


def _private_ports(settings: Settings, pooling: Pooling | None) -> Iterator[PortName]:
    """Those of the servers that are not given."""
    if not settings.database_url:
        yield "postgres"
    if settings.amqp_url is None:
        yield from _BROKERS_PORTS
    if not settings.given_redis:
        yield "redis"
    if pooling:
        yield "pgbouncer"


def remembered_rabbitmq(data: Path, state: State) -> RabbitMQ:
    """The private node on the ports that it had at its last start: the one that runs, where one does."""
    node_ports = RabbitPorts(
        amqp=state.ports["amqp"],
        management=state.ports["management"],
        prometheus=state.ports["prometheus"],
        stream=state.ports["stream"],
        dist=state.ports["dist"],
        epmd=state.ports["epmd"],
    )
    secrets = state.secrets
    return RabbitMQ(
        data / "rabbitmq",
        node_ports,
        secrets.login(rabbitmq.ADMINISTRATOR),
        secrets.erlang_cookie,
        former=secrets.former.get(rabbitmq.ADMINISTRATOR),
    )
