"""`python -m bench.replay`: exit status 0 where all was answered and the accounting closes."""

from __future__ import annotations

import sys

import uvloop

from bench.environment import addresses
from bench.errors import BenchError
from bench.frames import BrokerError
from bench.replay import sample, trace
from bench.replay.options import Options, read_options
from bench.replay.run import replay
from bench.replay.screen import Watched, summary
from bench.replay.trace import Request


def main(arguments: list[str]) -> int:
    """Reads the trace, charges it, prints the summary; the exit status."""
    try:
        options = read_options(arguments)
        requests = _requests(options)
        watched = Watched()
        with watched.progress:
            outcome = uvloop.run(replay(requests, options.users, options.speed, addresses(), watched))
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokerError as error:
        print(f"The replay was given up: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("The replay was interrupted: what was sent stays charged.", file=sys.stderr)
        return 130
    print("\n".join(summary(outcome)))
    faults = list(outcome.accounting.faults())
    print("\n".join(faults) if faults else "The accounting closes.", file=sys.stderr if faults else sys.stdout)
    return 1 if faults else 0


def _requests(options: Options) -> list[Request]:
    if options.sample is None:
        assert options.file is not None  # noqa: S101 -- read_options() saw to it
        return trace.read(options.file)
    if options.file is None:
        return trace.parse(sample.lines(options.sample), "the sample")
    sample.write(options.file, options.sample)
    return trace.read(options.file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
