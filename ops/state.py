"""What an instance remembers from one start to the next: secrets, ports, where its data lies."""

import base64
import secrets as random_source
from pathlib import Path
from typing import Literal, get_args

import msgspec

from ops import private_file
from ops.errors import LauncherError

DatabaseRole = Literal[
    "mana_owner",
    "mana_api",
    "mana_worker",
    "mana_relay",
    "mana_mail",
    "mana_payments",
    "mana_apps",
    "mana_usage",
    "mana_readonly",
]
DATABASE_ROLES: tuple[DatabaseRole, ...] = get_args(DatabaseRole)

PortName = Literal[
    "postgres",
    "pgbouncer",
    "redis",
    "amqp",
    "management",
    "prometheus",  # RabbitMQ's own page of metrics
    "monitoring",
    "alertmanager",
    "stream",
    "dist",
    "epmd",
    "api",
    "relay",
    "clock",
    "mail",
    "payments",
    "apps",
    "usage",
    "stripe",
]


def new_password() -> str:
    """24 random bytes, hexadecimal."""
    return random_source.token_hex(24)


def new_mark() -> str:
    """Of a place; no secret."""
    return random_source.token_hex(8)


class Secrets(msgspec.Struct):
    """Made once, at the first start, or at the first one that needs them; saved by whoever loaded them.

    Hexadecimal, so that they need no escaping in URLs and configuration files.
    """

    postgres_admin: str = msgspec.field(default_factory=new_password)
    redis: str = msgspec.field(default_factory=new_password)
    erlang_cookie: str = msgspec.field(default_factory=new_password)
    roles: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    logins: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    # What an administrator's password was, by its login, while a change of it is under way: who dies in between finds
    # the server with either.
    former: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    # Encrypts the signing keys in the database: losing it loses every session.
    front_key: str = msgspec.field(default_factory=lambda: base64.b64encode(random_source.token_bytes(32)).decode())
    # Grafana's administrator's, where it runs beside the instance.
    grafana: str = msgspec.field(default_factory=new_password)
    # Of the stand-in for Stripe, written as Stripe writes its own.
    stripe_key: str = msgspec.field(default_factory=lambda: f"sk_test_{new_password()}")
    stripe_webhook_secret: str = msgspec.field(default_factory=lambda: f"whsec_{new_password()}")

    def __post_init__(self) -> None:
        """Gives each role a password, also one that the instance was first started without."""
        for role in DATABASE_ROLES:
            self.roles.setdefault(role, new_password())

    def login(self, name: str) -> str:
        """The password of a broker login, made when it is first asked for."""
        return self.logins.setdefault(name, new_password())


class Chosen(msgspec.Struct):
    """What the last start was asked for, and the next one does that is not asked otherwise."""

    workers: int = 1
    monitored: bool = False
    pooled: bool = False


class State(msgspec.Struct):
    """The content of `state.json`."""

    data: str
    secrets: Secrets = msgspec.field(default_factory=Secrets)
    ports: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    partitions: int | None = None
    # Tells the place from all others, also from those that were restored from a backup of it.
    mark: str = msgspec.field(default_factory=new_mark)
    # Which servers were ever somebody else's, by their settings: what they hold outlives a purge.
    given: list[str] = msgspec.field(default_factory=list[str])
    # Where its PostgreSQL archives its WAL: a start that does not say so must not end it.
    wal_archive: str | None = None
    chosen: Chosen = msgspec.field(default_factory=Chosen)


def load(path: Path) -> State | None:
    """The remembered state, None before the first start. Raises LauncherError when the file cannot be understood."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise LauncherError(f"{path} is damaged ({error}): restore it, or remove the whole folder.") from error


def chosen(path: Path) -> Chosen:
    """Of the last start, else what a first one has. Raises LauncherError as ``load`` does."""
    remembered = load(path)
    return remembered.chosen if remembered else Chosen()


def save(path: Path, state: State) -> None:
    """Write the state so that only its owner can read it."""
    private_file.write(path, text(state))


def text(state: State) -> str:
    """The content of the file."""
    return msgspec.json.format(msgspec.json.encode(state)).decode() + "\n"
