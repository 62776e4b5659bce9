"""`./mana test --containers`: the integration tests on servers in containers, where a Docker engine answers.

Once with docker-compose.yml's RabbitMQ and once with 4, with the plugins that it has there. Our processes are this
machine's. Left out are tests that need other servers than these: see ``OTHERS``, and the mark ``own_servers``.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from docker import from_env
from docker.errors import DockerException
from testcontainers.core.container import DockerContainer

from ops.place import CHECKOUT
from tests import arriving
from tests.composed import SERVICES, base_of

NO_ENGINE: Final = 3
"""The exit status where nothing could be run: neither a success nor a failure of tests."""
RABBITMQ: Final = (SERVICES["rabbitmq"]["image"], "rabbitmq:4.1.4-management")
OTHERS: Final = (
    "tests/integration/ops",  # servers of Debian's with docker-compose.yml's files, with TLS
    "tests/integration/monitoring",  # promtool alone
    "tests/integration/stripe_fake",  # the stand-in for Stripe alone
)
_TESTS: Final = ("tests/integration", *(f"--ignore={folder}" for folder in OTHERS), "-m", "not slow")
_PASSWORD: Final = "of-containers-alone"
PATIENCE_SECONDS: Final = 180.0
"""So long are servers waited for, from when their containers run. RabbitMQ takes longest: half a minute."""
# What docker-compose.yml's broker is told, but its definitions: each instance makes its own topology.
_RABBITMQ_CONF: Final = """\
default_user = mana-admin
default_pass = of-containers-alone
default_user_tags.administrator = true
loopback_users = none
max_message_size = 1048576
frame_max = 16384
default_worker_pool_size = 1
"""


def engine() -> str | None:
    """Why no engine answers, None where one does."""
    try:
        client = from_env(timeout=5)
        client.ping()
        client.close()
    except DockerException as error:
        return str(error)
    return None


@contextmanager
def servers(rabbitmq: str, folder: Path) -> Generator[dict[str, str]]:
    """Addresses of new servers, as the settings of ./mana name them; each of them answers.

    Raises NotThereError where one does not come.
    """
    (folder / "rabbitmq.conf").write_text(_RABBITMQ_CONF)
    postgres = DockerContainer(base_of("postgres")).with_envs(
        POSTGRES_USER="mana_admin", POSTGRES_PASSWORD=_PASSWORD, POSTGRES_INITDB_ARGS="--locale=C.UTF-8 --encoding=UTF8"
    )
    # Nothing is archived: there is no archive's script, and no folder.
    postgres = postgres.with_command(
        [word for word in SERVICES["postgres"]["command"] if not word.startswith("-carchive")]
    )
    broker = DockerContainer(rabbitmq)
    for source, name in ((folder, "rabbitmq.conf"), (CHECKOUT / "ops" / "rabbitmq", "enabled_plugins")):
        broker = broker.with_volume_mapping(str(source / name), f"/etc/rabbitmq/{name}", "ro")
    cache = DockerContainer(SERVICES["redis"]["image"]).with_command(["redis-server", "--requirepass", _PASSWORD])
    with (
        _published(postgres, 5432) as database,
        _published(broker, 5672, 15672) as queues,
        _published(cache, 6379) as counters,
    ):
        given = {
            "DATABASE_URL": f"postgresql://mana_admin:{_PASSWORD}@{database[0]}/mana",
            "AMQP_URL": f"amqp://mana-admin:{_PASSWORD}@{queues[0]}/",
            "RABBITMQ_MANAGEMENT_URL": f"http://{queues[1]}",
            "REDIS_URL": f"redis://:{_PASSWORD}@{counters[0]}/0",
        }
        asyncio.run(arriving.answering(given, PATIENCE_SECONDS))
        yield given


@contextmanager
def _published(container: DockerContainer, *ports: int) -> Generator[list[str]]:
    """Host and port of each of the container's ports, once it runs: whoever listens there may still have to come."""
    with container.with_exposed_ports(*ports) as running:
        host = running.get_container_host_ip()
        yield [f"{host}:{running.get_exposed_port(port)}" for port in ports]


def main() -> int:
    """Exit status 0 where all passed, 1 where not, 3 where no engine answers and nothing was run."""
    if reason := engine():
        sys.stderr.write(f"No Docker engine answers: nothing was run ({reason}).\n")
        return NO_ENGINE
    failed: list[str] = []
    for rabbitmq in RABBITMQ:
        sys.stdout.write(f"--- on {rabbitmq}\n")
        sys.stdout.flush()
        try:
            passed = _pass(rabbitmq)
        except arriving.NotThereError as late:
            sys.stderr.write(f"{late}\n")
            passed = False
        if not passed:
            failed.append(rabbitmq)
    if failed:
        sys.stderr.write(f"failed on {', '.join(failed)}\n")
    return 1 if failed else 0


def _pass(rabbitmq: str) -> bool:
    """Whether the tests do, on new servers. Raises NotThereError where these do not come."""
    with tempfile.TemporaryDirectory() as folder, servers(rabbitmq, Path(folder)) as given:
        addresses = Path(folder) / "given.json"
        addresses.write_text(json.dumps(given))
        command = [sys.executable, "-m", "pytest", "--given", str(addresses), *_TESTS]
        return subprocess.run(command, cwd=CHECKOUT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
