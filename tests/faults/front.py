"""``python -m tests.faults.front``: the front with crash points (``MANA_CRASH_AT``).

With ``MANA_TEST_PROCESS=relay`` it is the outbox's relay.
"""

from __future__ import annotations

import os

from tests.faults.launching import become

_MODULES = {"api": "api", "relay": "api.relay"}

if __name__ == "__main__":
    become("api", _MODULES[os.environ.pop("MANA_TEST_PROCESS", "api")])
