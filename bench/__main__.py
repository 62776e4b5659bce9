"""`python -m bench [NAME] [OPTIONS]`: lists the benchmarks, or runs one."""

from __future__ import annotations

import importlib
import sys
from typing import Final

import httpx

from bench.errors import BenchError
from bench.frames import BrokerError
from ops.errors import LauncherError

BENCHMARKS: Final = {
    "ledger": "the whole ledger against a bare echo: commands per second, latencies, CPU for each command",
    "front": "the HTTP front: requests per second and latencies, CPU for each request",
}


def main(arguments: list[str]) -> int:
    """The exit status: 0 where it was measured, 1 with a sentence where it could not be."""
    if not arguments or arguments[0] not in BENCHMARKS:
        print("Benchmarks (each takes --help):")
        print("\n".join(f"  {name:<10}{purpose}" for name, purpose in BENCHMARKS.items()))
        return 1 if arguments and arguments[0] not in {"-h", "--help"} else 0
    benchmark = importlib.import_module(f"bench.{arguments[0]}")
    try:
        return benchmark.main(arguments[1:])
    except (BenchError, BrokerError, LauncherError, httpx.HTTPError) as error:
        print(f"The benchmark was given up: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("The benchmark was interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
