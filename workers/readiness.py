"""Which parts of a ledger worker do not work: its consumers, its leases, its connections, itself."""

from __future__ import annotations

import asyncio
from typing import Final

from workers.worker import Worker

_SILENT_SECONDS: Final = 6.0
"""Without a whole round of leases for so long the database counts as away."""


def problems(worker: Worker) -> dict[str, str]:
    """The parts by name, each with what is wrong; empty when all do their work."""
    blocked = worker.link.blocked or worker.publishing.blocked
    found: dict[str, str] = dict(worker.problems)
    if not worker.link.connected:
        found["rabbitmq"] = "not connected"
    elif blocked:
        found["rabbitmq"] = "blocked: out of memory or disk"
    elif not worker.publishing.connected:
        found["rabbitmq"] = "the connection for events is not there"
    for queue, number in worker.publishing.refused.items():
        found[queue] = f"does not take {number} messages that must be kept: it is full, or gone"
    found.update(_of_leases(worker))
    return found


def _of_leases(worker: Worker) -> dict[str, str]:
    term = worker.term
    answered = None if term is None else term.rounds.answered_at
    if term is None:
        return {"postgresql": "no connection that could hold leases"}
    if answered is None:  # without a broker we step aside: then it has been named already
        return {"leases": "none yet"} if worker.link.connected else {}
    if asyncio.get_running_loop().time() - answered > _SILENT_SECONDS:
        return {"postgresql": "no answer"}
    deaf = sorted(term.holdings.epochs.keys() - worker.inlets.live.keys())
    return {"consumers": f"not consuming partitions {', '.join(map(str, deaf))}"} if deaf else {}
