"""Private instances for tests and benchmarks: everything of their own, and nothing left behind.

with private(workers=0, partitions=4, with_processes=False) as instance:
    connect(instance.env["MANA_DATABASE_OWNER_URL"])
"""

import contextlib
import signal
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ops import envfile, orphans, packages, removal, state, status, urls
from ops.addresses import DATABASE, Addresses
from ops.errors import LauncherError
from ops.launch import Launched, launch
from ops.layout import Pooling
from ops.place import Place
from ops.programs import FRONTS_OWN, MAILS_OWN, surroundings
from ops.settings import Settings
from ops.state import State
from ops.status import Status
from ops.wish import Wish

_LIMITS = (
    "LOGIN", "LOGIN_NETWORK", "REGISTER", "REFRESH", "MAIL", "MAIL_ADDRESSEE", "LINK", "SECOND_FACTOR",
    "CREDENTIALS", "EXPORT", "ADMIN", "PURCHASES", "TOKEN", "TOKEN_ADDRESS",
)  # fmt: skip
UNHINDERED: Mapping[str, str] = {
    "RATE_LIMIT_MAX": "1000000",
    "RATE_LIMIT_TTL": "1s",
    **{f"RATE_LIMIT_{name}": "1000000/1s" for name in _LIMITS},
}
"""Settings of a front that no limit on requests holds up: for all that tests and benchmarks of something else do."""


@dataclass(frozen=True)
class Instance:
    """A running instance: its place, public addresses, those of its own logins, and where its servers' data lies."""

    place: Place
    env: dict[str, str]
    addresses: Addresses
    data: Path

    @property
    def status(self) -> Status:
        """How its processes are now. Raises LauncherError when its supervisor is gone."""
        told = status.living(self.place.status)
        if told is None:
            raise LauncherError(f"The instance in {self.place.home} does not run any more: see its logs there.")
        return told


@contextlib.contextmanager
def private(
    *,
    workers: int = 1,
    partitions: int = 32,
    name: str = "private",
    with_processes: bool = True,
    database: str = DATABASE,
    environment: Mapping[str, str] | None = None,
    data: Path | None = None,
    with_stand_in: bool = False,
    monitored: bool = False,
    pooling: Pooling | None = None,
    given: Mapping[str, str] | None = None,
) -> Generator[Instance]:
    """An instance in a temporary place, ended and removed at the end.

    With servers, roles, migrations, topology and logins; with front, relay, clock and workers unless
    `with_processes` is false. `environment` adds settings for the processes, which are unhindered else; `database` is
    where the ledger is, `data` the folder of the servers' data, which is removed too (by default it is in the temporary
    place). `with_stand_in`: it buys at a stand-in for Stripe; `monitored`: a Prometheus of its own asks its processes;
    `pooling`: fronts go through PgBouncer; `given`: addresses of servers that it uses (DATABASE_URL …), and takes over.
    Those of the surroundings are not used: who asks for a private instance may break it.
    Raises LauncherError when it does not come up.
    """
    there = {name.lower(): url for name, url in (given or {}).items()}
    packages.ensure(Settings.model_construct(None, **there), watch=lambda _line: None)
    if monitored:
        packages.require_all(packages.MONITORING, watch=lambda _line: None)
    if pooling:
        packages.require("pgbouncer", "pgbouncer", watch=lambda _line: None)
    with tempfile.TemporaryDirectory(prefix=f"mana-{name}-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # the servers' own users must pass through it to their data
        place = Place(Path(folder) / "home")
        if data is not None:
            place.home.mkdir(mode=0o711)
            state.save(place.state, State(data=str(data)))
        if given:
            environment = {**(environment or {}), **given, "MANA_TAKE_OVER": "1"}
        wish = Wish(workers, partitions, with_processes, database, with_stand_in, monitored, pooling)
        with started(place, wish, environment) as there:
            yield there


@contextlib.contextmanager
def started(place: Place, wish: Wish, environment: Mapping[str, str] | None = None) -> Generator[Instance]:
    """The instance of a place that is there, with what it holds; ended and removed at the end, as `private`'s is."""
    settings = {**surroundings(*FRONTS_OWN, *MAILS_OWN), **UNHINDERED, **(environment or {})}
    launched = launch(place, wish, settings, attached=True)
    try:
        launched.wait_until_ready(lambda _status: None)
        yield of(place)
    except LauncherError as error:
        error.add_note(_last_lines(place))  # the logs themselves go with the folder
        raise
    finally:
        _end_at_once(launched, place)
        removal.purge(place)


def _end_at_once(launched: Launched, place: Place) -> None:
    """Without a farewell: nothing that it kept is wanted any more, and a broker takes seconds to leave in order.

    The supervisor goes first, so that it starts nothing again. PostgreSQL is asked for its immediate shutdown, in which
    it gives its shared memory back.
    """
    launched.process.kill()
    launched.process.wait()
    told = status.load(place.status)
    named = {entry.name: entry.process for entry in told.processes if entry.process} if told else {}
    for name, process in named.items():
        process.send(signal.SIGQUIT if name == "postgres" else signal.SIGKILL)
    orphans.wait_or_kill(list(named.values()))


def _last_lines(place: Place) -> str:
    logs = sorted(place.logs.glob("*.log"))
    return "\n".join(f"==> {log.stem} <==\n" + "\n".join(log.read_text().splitlines()[-15:]) for log in logs)


def of(place: Place) -> Instance:
    """The instance that runs in `place`. Raises LauncherError when none does."""
    told, remembered = status.living(place.status), state.load(place.state)
    env = envfile.read(place.env)
    if told is None or remembered is None or not env:
        raise status.nothing_runs(place)
    addresses = Addresses(
        database=env["MANA_DATABASE_OWNER_URL"],
        amqp=env["MANA_AMQP_URL"],
        management=env["MANA_RABBITMQ_MANAGEMENT_URL"],
        redis=env["MANA_REDIS_URL"],
        secrets=remembered.secrets,
        own_broker=any(process.name == "rabbitmq" for process in told.processes),
        pooler=next(
            (urls.where(process.url) for process in told.processes if process.name == "pgbouncer" and process.url), None
        ),
    )
    return Instance(place, env, addresses, Path(remembered.data))
