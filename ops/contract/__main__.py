"""`./mana contract`: the published contract, made from the code, and held to that of the last release."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from contracts import schemas
from ops.contract import documents
from ops.contract.breaking import released
from ops.errors import LauncherError
from ops.place import CHECKOUT

_WRITE = "Run .venv/bin/python -m ops.contract write and commit what it writes."


def main(arguments: list[str] | None = None) -> int:
    """The program; answers its exit status, 1 where something is outdated or broken."""
    parser = argparse.ArgumentParser(prog="./mana contract", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("write", help="write contracts/schemas and docs/contract anew")
    verbs.add_parser("check", help="exit with 1 where a file of theirs is not what the code makes")
    compare = verbs.add_parser("compare", help="exit with 1 where the contract of the last release (tag v…) is broken")
    compare.add_argument("--checkout", type=Path, default=CHECKOUT, help="the git checkout, this one by default")
    chosen = parser.parse_args(arguments)
    try:
        match chosen.verb:
            case "write":
                return _write()
            case "check":
                return _check()
            case _:
                return _compare(chosen.checkout)
    except LauncherError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _write() -> int:
    schemas.write()
    documents.write()
    return 0


def _check() -> int:
    names = [*schemas.outdated(), *documents.outdated()]
    if names:
        sys.stderr.write(f"Outdated: {', '.join(names)}. {_WRITE}\n")
    return 1 if names else 0


def _compare(checkout: Path) -> int:
    tag = released.last_release(checkout)
    if tag is None:
        sys.stdout.write("There is no release yet (no tag v…): nothing to compare the contract with.\n")
        return 0
    found = released.breaks(checkout, tag)
    for one in found:
        sys.stderr.write(f"{one}\n")
    if found:
        sys.stderr.write(
            f"These break what was released as {tag}; give what is new a name of its own beside the old.\n"
        )
    else:
        sys.stdout.write(f"Nothing breaks what was released as {tag}.\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
