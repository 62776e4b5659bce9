"""``python -m workers.ledger.audit``: every invariant over the whole ledger, at one moment, told as a table.

Exit 0: all hold. Exit 1: the accounts where one is broken are named. Exit 2: it could not be looked at. With ``--note``
what was found is noted, as the clock's regular verifications are: for a role that may.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from workers.ledger.audit.looking import Finding, audit
from workers.ledger.faults import Fault
from workers.ledger.store.verifications import Verifications


def tell(findings: Sequence[Finding], console: Console) -> None:
    """Prints the table, and below it who is concerned."""
    table = Table("invariant", title="The ledger", title_justify="left")
    table.add_column("rows", justify="right")
    table.add_column("violations", justify="right")
    for finding in findings:
        style = "bold red" if finding.violations else None
        table.add_row(finding.invariant.says, f"{finding.checked:,}", f"{finding.violations:,}", style=style)
    console.print(table)
    for finding in findings:
        for subject, detail in finding.named:
            console.print(f"{finding.invariant.name}: {subject}: {detail}", style="red", markup=False, soft_wrap=True)
        if finding.violations > len(finding.named):
            console.print(f"{finding.invariant.name}: {finding.violations - len(finding.named):,} more", style="red")


async def _note(url: str, took_seconds: float, findings: Sequence[Finding]) -> None:
    notes = Verifications(url, application_name="mana-audit")
    await notes.note(took_seconds, [finding.invariant.name for finding in findings if finding.violations])
    await notes.close()


def main() -> int:
    """Audits the database of ``DATABASE_URL`` (its owner's, or the read-only role's); answers the exit status."""
    url = os.environ.get("DATABASE_URL")
    if not url:
        print("DATABASE_URL is not set: give it the database's address, as a role that sees all.", file=sys.stderr)
        return 2
    began = time.monotonic()
    try:
        findings = asyncio.run(audit(url))
    except Fault as fault:
        print(f"The ledger cannot be read: {fault}", file=sys.stderr)
        return 2
    tell(findings, Console())
    if "--note" in sys.argv[1:]:
        try:
            asyncio.run(_note(url, time.monotonic() - began, findings))
        except Fault as fault:
            print(f"What was found could not be noted: {fault}", file=sys.stderr)
    return 1 if any(finding.violations for finding in findings) else 0


if __name__ == "__main__":
    sys.exit(main())
