"""The commands of ./mana: each reads what was asked, and hands over."""

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from contracts.moments import read_moment
from ops import (
    checks,
    demo,
    envfile,
    foreground,
    instance,
    rotating,
    running,
    screen,
    settings,
    stand_in,
    status,
    upgrading,
)
from ops import packages as packages_of_servers
from ops.backup import restoring, taking
from ops.boot import Wish
from ops.errors import LauncherError, sentence
from ops.layout import Pooling
from ops.place import Place
from ops.programs import PAYMENTS_OWN, ProcessSettings, python, run_environment
from ops.state import DatabaseRole
from ops.top import watching

app = typer.Typer(
    help="Central sign-in and credit ledger: starts, watches and stops everything.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(help="The keys that access tokens are signed with.", no_args_is_help=True)
app.add_typer(keys, name="keys")
administrators = typer.Typer(help="Who administers users.", no_args_is_help=True)
app.add_typer(administrators, name="admin")
users = typer.Typer(help="Users in bulk.", no_args_is_help=True)
app.add_typer(users, name="users")
packages = typer.Typer(help="What can be bought.", no_args_is_help=True)
app.add_typer(packages, name="packages")
buying = typer.Typer(help="What Stripe has, and what we have.", no_args_is_help=True)
app.add_typer(buying, name="stripe")
app.add_typer(rotating.commands, name="secrets")
events = typer.Typer(help="What happened to credits and users.", no_args_is_help=True)
app.add_typer(events, name="events")
uses = typer.Typer(help="Statistics of use.", no_args_is_help=True)
app.add_typer(uses, name="usage")
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


def main() -> NoReturn:
    """Run a command; what cannot be done ends in one sentence on standard error."""
    try:
        app(prog_name="./mana")
    except LauncherError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(sentence(error))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


@app.command()
def up(
    *,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when everything is ready.")] = False,
    with_demo: Annotated[bool, typer.Option("--demo", help="Spend first credits and buy more, step by step.")] = False,
    servers_only: Annotated[bool, typer.Option("--servers-only", help="No front and no workers.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Ledger workers, 1 by default.")] = None,
    partitions: Annotated[int | None, typer.Option(min=1, max=1024, help="Command queues; fixed once made.")] = None,
    monitored: Annotated[bool, typer.Option("--monitoring", help="Prometheus too, with our alerts.")] = False,
    pgbouncer: Annotated[bool, typer.Option("--pgbouncer", help="The front reaches PostgreSQL through it.")] = False,
) -> None:
    """Start everything: servers, migrations, front, workers."""
    place = Place.from_environment()
    running.refuse_other_partitions(place, partitions)
    if told := running.find(place):
        screen.results.print(f"Already running in {place.home}: nothing was changed.", markup=False)
        for hint in (running.ignored(told, workers), running.unmonitored(told, asked=monitored)):
            if hint:
                screen.results.print(hint, markup=False)
        _show_addresses(place)
        _demonstrate(place, with_demo)
        return
    wish = Wish(
        workers=workers or 1,
        partitions=partitions,
        processes=not servers_only,
        with_stand_in=with_demo and stand_in.may_start(),
        monitored=monitored,
        pooling=Pooling() if pgbouncer else None,
    )
    launched = foreground.start(place, wish, attached=not detach)
    _show_addresses(place)
    _demonstrate(place, with_demo)
    if not detach:
        foreground.stay(launched)


@app.command()
def down(*, purge: Annotated[bool, typer.Option("--purge", help="Delete the data too.")] = False) -> None:
    """Stop what `up` started; the workers finish what they have begun."""
    place = Place.from_environment()
    with screen.steps("stopping") as show:
        stopped = running.stop(place, show)
    purged = running.purge(place) if purge else None
    screen.results.print("Stopped." if stopped else f"Nothing was running in {place.home}.", markup=False)
    if purged:
        screen.results.print(purged, markup=False)


@app.command("status")
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


@app.command()
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


@app.command()
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


@app.command("test", context_settings=_PASS_ON)
def check(
    chosen: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH", help="These tests alone, without the checks; what follows -- goes to pytest."),
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="The slow tests too.")] = False,
    containers: Annotated[
        bool, typer.Option("--containers", help="The front's tests on servers in containers, and nothing else.")
    ] = False,
) -> None:
    """Lint, types, import rules, schemas, and the test suite with its own servers."""
    if containers:
        sys.exit(checks.run_on_containers())
    sys.exit(checks.run(chosen or [], everything=everything))


@app.command()
def verify() -> None:
    """Check every invariant over the whole ledger; exit status 1 where one is broken."""
    env = instance.of(Place.from_environment()).env
    _become("workers.ledger.audit", [], {"DATABASE_URL": env["MANA_DATABASE_OWNER_URL"]})


@app.command(context_settings=_PASS_ON, add_help_option=False)
def replay(context: typer.Context) -> None:
    """Charge a trace of LLM requests through AMQP, and account for every credit (--help: its options)."""
    asks_for_help = "--help" in context.args
    _become("bench.replay", context.args, {} if asks_for_help else instance.of(Place.from_environment()).env)


@app.command(context_settings=_PASS_ON, add_help_option=False)
def bench(context: typer.Context) -> None:
    """Run the benchmarks, on an instance of their own (--help: which there are)."""
    _become("bench", context.args, {})


@app.command(context_settings=_PASS_ON, add_help_option=False)
def contract(context: typer.Context) -> None:
    """Make the published contract anew, or hold it to the code or to the last release (--help: how)."""
    _become("ops.contract", context.args, {})


@app.command(context_settings=_PASS_ON, add_help_option=False)
def monitoring(context: typer.Context) -> None:
    """Draw the dashboards from the running Prometheus (--help: how)."""
    env = {} if "--help" in context.args else instance.of(Place.from_environment()).env
    _become("ops.monitoring", context.args, env)


@app.command()
def migrate() -> None:
    """Make the roles that are missing, apply the migrations, and say what was applied."""
    there = instance.of(Place.from_environment())
    asyncio.run(upgrading.establish_roles(there, settings.read()))
    _become("migrations", [], {"DATABASE_URL": there.env["MANA_DATABASE_OWNER_URL"]})


@keys.command("rotate")
def rotate_keys(
    *,
    compromised: Annotated[
        bool, typer.Option("--compromised", help="A key was stolen: refuse all tokens of today, at once.")
    ] = False,
) -> None:
    """Bring a new signing key: published now, signing ten minutes later; no request fails by it."""
    _operate("rotate_keys", ["--compromised"] if compromised else [], "mana_api")


@administrators.command("create")
def create_admin(email: Annotated[str, typer.Argument(metavar="EMAIL", help="Whose address it is.")]) -> None:
    """Make an administrator; a new one's password is shown once."""
    _operate("create_admin", ["--", email], "mana_owner")


@users.command("import", context_settings=_PASS_ON, add_help_option=False)
def import_users(context: typer.Context) -> None:
    """Import users from a file, JSON lines or CSV; broken off, it goes on when run again (--help: its options)."""
    if "--help" in context.args:
        _become("api.operators.import_users", context.args, {})
    _operate("import_users", context.args, "mana_owner")


@packages.command("apply")
def apply_packages(
    file: Annotated[str, typer.Argument(metavar="FILE", help="All packages, in YAML.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    retire_all: Annotated[
        bool, typer.Option("--retire-all", help="Take a FILE that declares none: nothing can be bought then.")
    ] = False,
) -> None:
    """Make what can be bought what FILE declares: what it leaves out is retired, and nothing is deleted."""
    wished = [name for name, given in (("--dry-run", dry_run), ("--retire-all", retire_all)) if given]
    _operate("packages", ["apply", *wished, "--", file], "mana_owner")


@packages.command("list")
def list_packages() -> None:
    """Print the packages as a file that `apply` takes, the retired ones as comments."""
    _operate("packages", ["list"], "mana_owner")


@app.command("apps", context_settings=_PASS_ON, add_help_option=False)
def manage_apps(context: typer.Context) -> None:
    """Make, list, change and revoke apps and their secrets (--help: the commands)."""
    if not context.args or "--help" in context.args:
        _become("api.operators.apps", context.args or ["--help"], {})
    _operate("apps", context.args, "mana_owner")


@app.command("dead", context_settings=_PASS_ON, add_help_option=False)
def dead_letters(context: typer.Context) -> None:
    """List, show, send again or give up what is kept in credits.dead (--help: the commands)."""
    if not context.args or "--help" in context.args:
        _become("api.operators.dead", context.args or ["--help"], {})
    own = ProcessSettings(instance.of(Place.from_environment()).addresses, partitions=1)
    _become("api.operators.dead", context.args, own.dead_letters())


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is empty, or not there yet.")],
) -> None:
    """Copy the running place, its database and secrets, into a folder."""
    target = folder.expanduser().absolute()
    with screen.steps("looking at the place") as show:
        taken = asyncio.run(taking.take(instance.of(Place.from_environment()), target, show))
    screen.results.print(f"{target} is a backup of {taken.ended:%Y-%m-%dT%H:%M:%SZ}. It holds secrets.", markup=False)
    if taken.wal_archive:
        screen.results.print(f"Later moments need {taken.wal_archive} from {taken.wal_from} on.", markup=False)
    if taken.dead_letters:
        kept = f"{taken.dead_letters} dead letters are not in it"
        screen.results.print(f"{kept}: see ./mana dead list, and redrive or drop them.", markup=False)


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A backup.")],
    *,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="To this moment, as 2027-01-31T12:00:00Z.")] = None,
    wal: Annotated[Path | None, typer.Option(metavar="DIR", help="Where archived WAL lies, if elsewhere.")] = None,
) -> None:
    """Make a place, which must be empty, out of a backup; then ./mana up starts it."""
    moment = read_moment(at) if at else None
    if at and moment is None:
        raise LauncherError(f"{at} is no time of RFC 3339, such as 2027-01-31T12:00:00Z.")
    place, given = Place.from_environment(), settings.read()
    wish = restoring.Wish(folder.expanduser().absolute(), moment, wal and wal.expanduser().absolute())
    with screen.steps("looking for the servers") as show:
        packages_of_servers.ensure(given, watch=show)
        last = asyncio.run(restoring.restore(place, wish, given, show))
    told = f", its last transaction of {last:%Y-%m-%dT%H:%M:%S.%fZ}" if last else ""
    screen.results.print(f"{place.home} is restored{told}: ./mana up starts it.", markup=False)
    screen.results.print(restoring.AFTERWARDS, markup=False)


@buying.command(context_settings=_PASS_ON, add_help_option=False)
def reconcile(context: typer.Context) -> None:
    """Compare with Stripe, feed what never arrived; exit status 1 where something still differs (--help: options)."""
    asks_for_help = "--help" in context.args
    _become("workers.payments.reconciling", context.args, {} if asks_for_help else _as_payments())


@events.command("tail", context_settings=_PASS_ON, add_help_option=False)
def tail_events(context: typer.Context) -> None:
    """Show events as the log keeps them, and those to come, until Ctrl-C (--help: its options)."""
    asks_for_help = "--help" in context.args
    _become("workers.event_log.tail", context.args, {} if asks_for_help else instance.of(Place.from_environment()).env)


@events.command("republish", context_settings=_PASS_ON, add_help_option=False)
def republish_events(context: typer.Context) -> None:
    """Send events again from the ledger, as after the loss of the broker's disk (--help: its options)."""
    asks_for_help = "--help" in context.args
    _become("workers.event_log.republish", context.args, {} if asks_for_help else _as_worker())


def _as_worker() -> dict[str, str]:
    return ProcessSettings(instance.of(Place.from_environment()).addresses, partitions=1).worker()


@uses.command("rebuild", context_settings=_PASS_ON, add_help_option=False)
def rebuild_usage(context: typer.Context) -> None:
    """Count the statistics anew, from the ledger or from the stream of events (--help: options)."""
    asks_for_help = "--help" in context.args
    own = {} if asks_for_help else ProcessSettings(instance.of(Place.from_environment()).addresses, 1).usage()
    _become("workers.usage.rebuilding", context.args, own)


def _as_payments() -> dict[str, str]:
    """The payments worker's environment: at the stand-in, where the instance has one."""
    place = Place.from_environment()
    there = instance.of(place)
    told = {name: value for name in PAYMENTS_OWN if (value := os.environ.get(name))}
    if url := stand_in.url_of(there.status):
        told |= {"STRIPE_SECRET_KEY": there.addresses.secrets.stripe_key, "STRIPE_API_URL": url}
    return {**ProcessSettings(there.addresses, partitions=1).payments(), **told}


def _operate(program: str, arguments: list[str], role: DatabaseRole) -> NoReturn:
    """Become one of the operator's programs, which acts as that role at the running instance's database."""
    own = ProcessSettings(instance.of(Place.from_environment()).addresses, partitions=1)
    _become(f"api.operators.{program}", arguments, own.operator(role))


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
            screen.results.print(f"watching  {watching}/alerts", markup=False)
        screen.results.print(f"buying  {stand_in.told_of_buying(status.living(place.status))}", markup=False)


def _become(module: str, arguments: list[str], env: dict[str, str]) -> NoReturn:
    """Become one of our programs: signals reach it, and its exit status is ours."""
    command = [*python(module), *arguments]
    sys.stdout.flush()
    os.execve(command[0], command, {**run_environment({}), **env})  # noqa: S606 - no shell is what we want
