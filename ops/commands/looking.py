"""To look closer: the servers' own tools at the place's servers, and questions to its Prometheus."""

from typing import Annotated

import typer

from ops import instance, looking, screen
from ops.commands.becoming import PASS_ON
from ops.errors import LauncherError
from ops.monitoring import answered
from ops.monitoring.asking import Prometheus
from ops.place import Place
from ops.state import DATABASE_ROLES, DatabaseRole

commands = typer.Typer()


@commands.command(context_settings=PASS_ON, add_help_option=False)
def psql(context: typer.Context) -> None:
    """PostgreSQL's shell at the place's database, as administrator; with --role ROLE first, as that role."""
    role, words = _role(context.args)
    looking.psql(_here(), role, words).become()


@commands.command(context_settings=PASS_ON, add_help_option=False)
def rabbitmqctl(context: typer.Context) -> None:
    """RabbitMQ's own commands, at the place's node (--help: which there are)."""
    looking.rabbit(_here(), "rabbitmqctl", context.args).become()


@commands.command("rabbitmq-diagnostics", context_settings=PASS_ON, add_help_option=False)
def rabbitmq_diagnostics(context: typer.Context) -> None:
    """RabbitMQ's questions to itself, at the place's node (--help: which there are)."""
    looking.rabbit(_here(), "rabbitmq-diagnostics", context.args).become()


@commands.command("redis-cli", context_settings=PASS_ON, add_help_option=False)
def redis_cli(context: typer.Context) -> None:
    """Redis' shell, at the place's server."""
    looking.redis_cli(_here(), context.args).become()


@commands.command()
def query(expression: Annotated[str, typer.Argument(metavar="PROMQL", help="As the runbooks print them.")]) -> None:
    """Ask the place's Prometheus, and print what it answers now."""
    url = _here().env["MANA_PROMETHEUS_URL"]
    if not url:
        raise LauncherError("No Prometheus runs there: ./mana down, then ./mana up --detach --monitoring starts one.")
    with Prometheus.at(url) as asked:
        screen.results.print(answered.table(asked.now(expression)), markup=False)


def _here() -> instance.Instance:
    return instance.of(Place.from_environment())


def _role(words: list[str]) -> tuple[DatabaseRole | None, list[str]]:
    """The role that is asked for before all else, and what is psql's. Raises LauncherError for an unknown one."""
    if words[:1] != ["--role"]:
        return None, words
    for role in DATABASE_ROLES:
        if words[1:2] == [role]:
            return role, words[2:]
    raise LauncherError(f"--role is one of {', '.join(DATABASE_ROLES)}.")
