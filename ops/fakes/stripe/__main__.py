"""``python -m ops.fakes.stripe --port N``: listens on the loopback interface until it is told to stop."""

import argparse
import socket
import sys

import uvicorn

from ops.fakes.stripe.app import Options, application

# Longer than clients keep a connection: none of theirs is closed while a request is on its way.
_KEEP_ALIVE_SECONDS = 75
_GRACE_SECONDS = 3
_NOT_STARTED = 3


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m ops.fakes.stripe", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--listening", type=int, action="append", help="descriptor of a socket that listens on that port already"
    )
    parser.add_argument(
        "--key", action="append", default=[], help="a secret key that is taken; any, where none is named"
    )
    parser.add_argument("--endpoint", help="where all events are sent to from the start")
    parser.add_argument("--endpoint-secret", help="what they are signed with (whsec_…)")
    parser.add_argument("--seed", type=int, default=0, help="of what the switches leave to chance")
    given = parser.parse_args()
    if (given.endpoint is None) != (given.endpoint_secret is None):
        parser.error("--endpoint and --endpoint-secret go together")
    endpoint = (given.endpoint, given.endpoint_secret) if given.endpoint else None
    options = Options(f"http://127.0.0.1:{given.port}", frozenset(given.key), endpoint, given.seed)
    config = uvicorn.Config(
        application(options),
        host="127.0.0.1",
        port=given.port,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    server.run([socket.socket(fileno=one) for one in given.listening] if given.listening else None)
    if not server.started:
        sys.exit(_NOT_STARTED)


if __name__ == "__main__":
    main()
