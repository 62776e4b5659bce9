"""`python -m bench [NAME] [OPTIONS]`: runs one benchmark, or all of them; `--help` lists them."""

from __future__ import annotations

import importlib
import sys
from typing import Final

import httpx

from bench.errors import BenchError
from bench.frames import BrokerError
from ops.errors import LauncherError
from ops.place import CHECKOUT

BENCHMARKS: Final = {
    "ledger": "the whole ledger against a bare echo: commands per second, latencies, CPU for each command",
    "subscribers": "answer times while a subscriber of events refuses, or is a million behind",
    "overload": "three times the capacity for a minute: what is refused, what is answered, and when it is quick again",
    "fairness": "how soon one app is answered while another one floods, with and without limits",
    "faults": "no measurement: faults under load, and what became of every command (not part of a run without a name)",
    "front": "the HTTP front: requests per second and latencies, CPU for each request",
    "auth": "sign-ins by what Argon2id alone can do, reads meanwhile, tokens by the least that they can cost",
    "webhooks": "Stripe's webhook: how soon it is answered at 200 a second, and where the time goes",
    "client": "mana-client: what it adds to the time that a command takes the library beneath it",
    "production": "no measurement: everything under a trace at 20 times its speed, a fault a minute (only by its name)",
    "attack": "no measurement: guesses at passwords from everywhere, and whether owners get in (only by its name)",
}

_BY_NAME_ONLY: Final = frozenset({"faults", "attack", "production"})


def main(arguments: list[str]) -> int:
    """The exit status: 0 where it was measured, 1 with a sentence where it could not be."""
    if not arguments:
        return _all()
    if arguments[0] in {"-h", "--help"}:
        print(f"Without a name all run, one after the other. Benchmarks (each takes --help):\n{_listed()}")
        return 0
    if arguments[0] not in BENCHMARKS:
        print(f"There is no benchmark {arguments[0]}; there are:\n{_listed()}", file=sys.stderr)
        return 1
    return _run(arguments[0], arguments[1:])


def _all() -> int:
    """Each measurement with its own defaults; the first that could not be measured ends it."""
    for name, purpose in BENCHMARKS.items():
        if name in _BY_NAME_ONLY:
            continue
        print(f"{name}: {purpose}", flush=True)
        if status := _run(name, []):
            return status
    return 0


def _listed() -> str:
    return "\n".join(f"  {name:<12}{purpose}" for name, purpose in BENCHMARKS.items())


def _run(name: str, options: list[str]) -> int:
    # Apps install mana-client; no process of the service has it in its path.
    sys.path.append(str(CHECKOUT / "clients" / "python"))
    benchmark = importlib.import_module(f"bench.{name}")
    try:
        return benchmark.main(options)
    except (BenchError, BrokerError, LauncherError, httpx.HTTPError) as error:
        print(f"The benchmark was given up: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("The benchmark was interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
