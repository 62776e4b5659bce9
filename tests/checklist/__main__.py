"""``python -m tests.checklist [FILE ...]``: docs/security-checklist.md anew, from the last test run or kept ones."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from ops.place import CHECKOUT
from tests.checklist.claims import claims_in
from tests.checklist.page import PAGE, render
from tests.checklist.recording import CACHE, FILE, Run, together


def main() -> int:
    """Exit status 0 when the page is written, 1 where there is no run to make it from."""
    parser = argparse.ArgumentParser(prog="python -m tests.checklist", description=__doc__)
    parser.add_argument("files", type=Path, nargs="*", help="what a run's parts left behind")
    files: list[Path] = parser.parse_args().files or sorted((CHECKOUT / CACHE).rglob(FILE))
    try:
        run = together(msgspec.json.decode(file.read_bytes(), type=Run) for file in files)
    except (OSError, ValueError, msgspec.DecodeError) as error:
        sys.stderr.write(f"There is no test run to make the page from ({error}): make one with ./mana test.\n")
        return 1
    (CHECKOUT / PAGE).write_text(render(run, claims_in(CHECKOUT)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
