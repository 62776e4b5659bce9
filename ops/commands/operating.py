"""What operators do: keys, administrators, users, apps, packages, Stripe, events, statistics."""

import os
from typing import Annotated

import typer

from contracts import settings_file
from ops import rotating, stand_in
from ops.commands.becoming import PASS_ON, addresses, become, instance_here, operate, own_settings
from ops.programs import PAYMENTS_OWN

commands = typer.Typer()
keys = typer.Typer(help="The keys that access tokens are signed with.", no_args_is_help=True)
commands.add_typer(keys, name="keys")
administrators = typer.Typer(help="Who administers users.", no_args_is_help=True)
commands.add_typer(administrators, name="admin")
users = typer.Typer(help="Users in bulk.", no_args_is_help=True)
commands.add_typer(users, name="users")
packages = typer.Typer(help="What can be bought.", no_args_is_help=True)
commands.add_typer(packages, name="packages")
buying = typer.Typer(help="What Stripe has, and what we have.", no_args_is_help=True)
commands.add_typer(buying, name="stripe")
commands.add_typer(rotating.commands, name="secrets")
events = typer.Typer(help="What happened to credits and users.", no_args_is_help=True)
commands.add_typer(events, name="events")
uses = typer.Typer(help="Statistics of use.", no_args_is_help=True)
commands.add_typer(uses, name="usage")


@keys.command("rotate")
def rotate_keys(
    *,
    compromised: Annotated[
        bool, typer.Option("--compromised", help="A key was stolen: refuse all tokens of today, at once.")
    ] = False,
) -> None:
    """Bring a new signing key: published now, signing ten minutes later; no request fails by it."""
    operate("rotate_keys", ["--compromised"] if compromised else [], "mana_api")


@administrators.command("create")
def create_admin(email: Annotated[str, typer.Argument(metavar="EMAIL", help="Whose address it is.")]) -> None:
    """Make an administrator; a new one's password is shown once."""
    operate("create_admin", ["--", email], "mana_owner")


@users.command("import", context_settings=PASS_ON, add_help_option=False)
def import_users(context: typer.Context) -> None:
    """Import users from a file, JSON lines or CSV; broken off, it goes on when run again (--help: its options)."""
    if "--help" in context.args:
        become("api.operators.import_users", context.args, {})
    operate("import_users", context.args, "mana_owner")


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
    operate("packages", ["apply", *wished, "--", file], "mana_owner")


@packages.command("list")
def list_packages() -> None:
    """Print the packages as a file that `apply` takes, the retired ones as comments."""
    operate("packages", ["list"], "mana_owner")


@commands.command("apps", context_settings=PASS_ON, add_help_option=False)
def manage_apps(context: typer.Context) -> None:
    """Make, list, change and revoke apps and their secrets (--help: the commands)."""
    if not context.args or "--help" in context.args:
        become("api.operators.apps", context.args or ["--help"], {})
    operate("apps", context.args, "mana_owner")


@buying.command(context_settings=PASS_ON, add_help_option=False)
def reconcile(context: typer.Context) -> None:
    """Compare with Stripe, feed what never arrived; exit status 1 where something still differs (--help: options)."""
    asks_for_help = "--help" in context.args
    become("workers.payments.reconciling", context.args, {} if asks_for_help else _as_payments())


@events.command("tail", context_settings=PASS_ON, add_help_option=False)
def tail_events(context: typer.Context) -> None:
    """Show events as the log keeps them, and those to come, until Ctrl-C (--help: its options)."""
    asks_for_help = "--help" in context.args
    become("workers.event_log.tail", context.args, {} if asks_for_help else {"MANA_AMQP_URL": addresses().amqp})


@events.command("republish", context_settings=PASS_ON, add_help_option=False)
def republish_events(context: typer.Context) -> None:
    """Send events again from the ledger, as after the loss of the broker's disk (--help: its options)."""
    asks_for_help = "--help" in context.args
    become("workers.event_log.republish", context.args, {} if asks_for_help else own_settings().worker())


@uses.command("rebuild", context_settings=PASS_ON, add_help_option=False)
def rebuild_usage(context: typer.Context) -> None:
    """Count the statistics anew, from the ledger or from the stream of events (--help: options)."""
    asks_for_help = "--help" in context.args
    own = {} if asks_for_help else own_settings().usage()
    become("workers.usage.rebuilding", context.args, own)


def _as_payments() -> dict[str, str]:
    """The payments worker's environment: at the stand-in, where an instance here has one."""
    told = {name: value for name in (*PAYMENTS_OWN, settings_file.SETTING) if (value := os.environ.get(name))}
    here = instance_here()
    if here and (url := stand_in.url_of(here.status)):
        told |= {"STRIPE_SECRET_KEY": here.addresses.secrets.stripe_key, "STRIPE_API_URL": url}
    return {**own_settings().payments(), **told}
