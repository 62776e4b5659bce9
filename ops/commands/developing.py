"""To work on Mana itself: its tests, its benchmarks, its published contract."""

import sys
from typing import Annotated

import typer

from ops import checks, instance
from ops.commands.becoming import PASS_ON, become
from ops.place import Place

commands = typer.Typer()


@commands.command("test", context_settings=PASS_ON)
def check(
    chosen: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH", help="These tests alone, without the checks; what follows -- goes to pytest."),
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="The slow tests too.")] = False,
    containers: Annotated[
        bool, typer.Option("--containers", help="The integration tests on servers in containers, and nothing else.")
    ] = False,
) -> None:
    """Lint, types, import rules, schemas, and the test suite with its own servers."""
    if containers:
        sys.exit(checks.run_on_containers())
    sys.exit(checks.run(chosen or [], everything=everything))


@commands.command(context_settings=PASS_ON, add_help_option=False)
def replay(context: typer.Context) -> None:
    """Charge a trace of LLM requests through AMQP, and account for every credit (--help: its options)."""
    asks_for_help = "--help" in context.args
    become("bench.replay", context.args, {} if asks_for_help else instance.of(Place.from_environment()).env)


@commands.command(context_settings=PASS_ON, add_help_option=False)
def bench(context: typer.Context) -> None:
    """Run the benchmarks, on an instance of their own (--help: which there are)."""
    become("bench", context.args, {})


@commands.command(context_settings=PASS_ON, add_help_option=False)
def contract(context: typer.Context) -> None:
    """Make the published contract anew, or hold it to the code or to the last release (--help: how)."""
    become("ops.contract", context.args, {})
