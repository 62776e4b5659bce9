"""``python -m tests.payments.worker``: the payments worker, with a mutant where one is asked for (``MANA_MUTANT``)."""

from __future__ import annotations

from tests.faults.launching import become

if __name__ == "__main__":
    become("workers", "workers.payments")
