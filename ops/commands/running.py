"""To start a place, look at it, and stop it."""

import asyncio
import shutil
import sys
from typing import Annotated

import msgspec
import typer

from ops import (
    alerting,
    demo,
    envfile,
    foreground,
    instance,
    restarting,
    running,
    screen,
    settings,
    stand_in,
    state,
    status,
    upgrading,
)
from ops.commands.becoming import PASS_ON, become
from ops.errors import LauncherError
from ops.layout import Pooling
from ops.place import Place
from ops.servers import pgbouncer as pooler
from ops.servers import prometheus
from ops.top import watching
from ops.wish import Wish

commands = typer.Typer()


@commands.command()
def up(
    *,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when everything is ready.")] = False,
    with_demo: Annotated[bool, typer.Option("--demo", help="Spend first credits and buy more, step by step.")] = False,
    servers_only: Annotated[bool, typer.Option("--servers-only", help="No front and no workers.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Ledger workers; as many as at the last start, 1 at the first.")
    ] = None,
    partitions: Annotated[int | None, typer.Option(min=1, max=1024, help="Command queues; fixed once made.")] = None,
    monitored: Annotated[
        bool | None,
        typer.Option("--monitoring/--no-monitoring", help="Prometheus, Alertmanager; as at the last start."),
    ] = None,
    pgbouncer: Annotated[
        bool | None,
        typer.Option("--pgbouncer/--no-pgbouncer", help="The front reaches PostgreSQL through it; as at the last."),
    ] = None,
) -> None:
    """Start everything: servers, migrations, front, workers. What runs is brought to this version while it serves."""
    place = Place.from_environment()
    running.refuse_other_partitions(place, partitions)
    if told := running.find(place):
        with screen.steps(f"Already running in {place.home}") as show:
            upgraded = upgrading.upgrade(place, show)
        done = f"it runs version {upgraded} now" if upgraded else "nothing was changed"
        screen.results.print(f"Already running in {place.home}: {done}.", markup=False)
        hints = (
            running.ignored(told, workers),
            running.without_change(told, "monitoring", prometheus.NAME, asked=monitored),
            running.without_change(told, "pgbouncer", pooler.NAME, asked=pgbouncer),
            running.unheard(told),
        )
        for hint in filter(None, hints):
            screen.results.print(hint, markup=False)
        _show_addresses(place)
        _demonstrate(place, with_demo)
        return
    last = state.chosen(place.state)
    wish = Wish(
        workers=workers or last.workers,
        partitions=partitions,
        processes=not servers_only,
        with_stand_in=with_demo and stand_in.may_start(),
        monitored=last.monitored if monitored is None else monitored,
        pooling=Pooling() if (last.pooled if pgbouncer is None else pgbouncer) else None,
    )
    launched = foreground.start(place, wish, attached=not detach)
    _show_addresses(place)
    if monitored and (hint := alerting.untold(settings.read())):
        screen.results.print(hint, markup=False)
    _demonstrate(place, with_demo)
    if not detach:
        foreground.stay(launched)


@commands.command()
def down(*, purge: Annotated[bool, typer.Option("--purge", help="Delete the data too.")] = False) -> None:
    """Stop what `up` started; the workers finish what they have begun."""
    place = Place.from_environment()
    with screen.steps("stopping") as show:
        stopped = running.stop(place, show)
    purged = running.purge(place) if purge else None
    screen.results.print("Stopped." if stopped else f"Nothing was running in {place.home}.", markup=False)
    if purged:
        screen.results.print(purged, markup=False)


@commands.command()
def restart(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Processes, as ./mana status names them.")],
) -> None:
    """End processes and start them again, one after the other; one that hangs is ended by force after 30 s."""
    place = Place.from_environment()
    with screen.steps("restarting") as show:
        restarting.restart(place, names, show)
    screen.results.print(f"Ready again: {', '.join(names)}.", markup=False)


@commands.command("status")
def show_status(*, as_json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False) -> None:
    """Each process: name, process id, state, address."""
    place = Place.from_environment()
    told = status.living(place.status)
    entries = told.processes if told else []
    if as_json:
        shown = [
            {"name": e.name, "pid": e.pid, "state": e.state, "restarts": e.restarts, "url": e.url} for e in entries
        ]
        sys.stdout.write(msgspec.json.encode(shown).decode() + "\n")
    elif told is None:
        screen.results.print(f"Nothing runs in {place.home}.", markup=False)
    else:
        screen.results.print(screen.processes(entries))
        if told.phase != "ready":
            screen.results.print(f"{told.phase}: {told.step}", markup=False)


@commands.command()
def top(
    *,
    once: Annotated[bool, typer.Option("--once", help="Print one frame, over a second, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as a JSON object.")] = False,
    every: Annotated[float, typer.Option(min=0.2, max=60.0, help="Seconds between two looks.")] = 2.0,
) -> None:
    """A screen of what goes on: rates, lag, answer times, dead letters, sessions, processes (q: quit)."""
    place = Place.from_environment()
    if once or as_json:
        watching.look(place, as_json=as_json)
    else:
        watching.watch(place, every)


@commands.command()
def logs(name: Annotated[str | None, typer.Argument(help="One process, as ./mana status names it.")] = None) -> None:
    """Print the log of one process, or of all."""
    place = Place.from_environment()
    wanted = [place.logs / f"{name}.log"] if name else sorted(place.logs.glob("*.log"))
    for log in wanted:
        if not log.exists():
            there = ", ".join(sorted(path.stem for path in place.logs.glob("*.log"))) or "none"
            raise LauncherError(f"There is no log of {name} in {place.home}; there are: {there}.")
        if not name:
            sys.stdout.write(f"==> {log.stem} <==\n")
            sys.stdout.flush()
        with log.open("rb") as content:
            shutil.copyfileobj(content, sys.stdout.buffer)
        sys.stdout.buffer.flush()


@commands.command(context_settings=PASS_ON, add_help_option=False)
def monitoring(context: typer.Context) -> None:
    """Draw the dashboards from the running Prometheus (--help: how)."""
    env = {} if "--help" in context.args else instance.of(Place.from_environment()).env
    become("ops.monitoring", context.args, env)


@commands.command()
def migrate() -> None:
    """Make the roles that are missing, apply the migrations, and say what was applied."""
    there = instance.of(Place.from_environment())
    asyncio.run(upgrading.establish_roles(there, settings.read().database_url))
    become("migrations", [], {"DATABASE_URL": there.env["MANA_DATABASE_OWNER_URL"]})


def _demonstrate(place: Place, wanted: bool) -> None:
    if wanted:
        demo.run(envfile.read(place.env), status.living(place.status))


def _show_addresses(place: Place) -> None:
    env = envfile.read(place.env)
    front = env["MANA_API_URL"]
    screen.results.print(f"front  {front}  (docs: {front}/docs)" if front else "front  not asked for", markup=False)
    screen.results.print(f"state  {place.home}  (addresses and logins: {place.env})", markup=False)
    if front:
        if watching := env["MANA_PROMETHEUS_URL"]:
            screen.results.print(f"watching  {prometheus.alerts_page(watching)}", markup=False)
        screen.results.print(f"buying  {stand_in.told_of_buying(status.living(place.status))}", markup=False)
