"""``python -m tests.checklist [FILE]``: makes docs/security-checklist.md from the last test run, or from a kept one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from ops.place import CHECKOUT
from tests.checklist.claims import claims_in
from tests.checklist.page import PAGE, render
from tests.checklist.recording import FILE, Run


def main() -> int:
    """Exit status 0 when the page is written, 1 where there is no run to make it from."""
    parser = argparse.ArgumentParser(prog="python -m tests.checklist", description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=CHECKOUT / FILE, help="what a run left behind")
    file: Path = parser.parse_args().file
    try:
        run = msgspec.json.decode(file.read_bytes(), type=Run)
    except (OSError, msgspec.DecodeError) as error:
        sys.stderr.write(f"{file} is no test run ({error}): make one with ./mana test.\n")
        return 1
    (CHECKOUT / PAGE).write_text(render(run, claims_in(CHECKOUT)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
