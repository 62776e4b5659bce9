"""`python -m ops.setup secrets FOLDER` writes secrets as files; `python -m ops.setup servers STATE` prepares servers.

The first makes what is missing in FOLDER, and with it what each process and each server is started with. The second
makes roles, schema, topology and logins as FOLDER's `state.json` says. Both may be repeated. `operator STATE COMMAND …`
runs a command of ./mana's for operators (`--help`: which there are). The servers are those of docker-compose.yml,
unless the environment names others by their administrators' addresses (DATABASE_URL, AMQP_URL, RABBITMQ_MANAGEMENT_URL,
REDIS_URL).
"""

import argparse
import asyncio
import sys
from pathlib import Path

from contracts.topology import PARTITIONS_DEFAULT
from ops import settings
from ops.errors import LauncherError
from ops.setup import operator, secret_files, servers


def main() -> int:
    """The program; exit status 1 and one sentence when it could not be done."""
    parser = argparse.ArgumentParser(prog="python -m ops.setup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("secrets", help="write secrets as files")
    writing.add_argument("folder", type=Path)
    preparing = commands.add_parser("servers", help="prepare the servers")
    preparing.add_argument("state", type=Path)
    operating = commands.add_parser("operator", help="run a command for operators")
    operating.add_argument("state", type=Path)
    operating.add_argument("words", nargs=argparse.REMAINDER)
    for parsing in (writing, preparing):
        parsing.add_argument("--partitions", type=int, default=PARTITIONS_DEFAULT)
    asked = parser.parse_args()
    try:
        if asked.command == "secrets":
            if hint := secret_files.write(asked.folder, asked.partitions, settings.read()):
                sys.stdout.write(f"{hint}\n")
        elif asked.command == "operator":
            operator.run(asked.state, asked.words, settings.read())
        else:
            asyncio.run(servers.prepare(asked.state, asked.partitions, settings.read()))
    except LauncherError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
