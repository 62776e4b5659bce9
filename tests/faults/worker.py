"""``python -m tests.faults.worker``: ``python -m workers`` with crash points (``MANA_CRASH_AT``), or a mutant of it
(``MANA_MUTANT``)."""

from __future__ import annotations

from tests.faults.launching import become

if __name__ == "__main__":
    become("workers", "workers")
