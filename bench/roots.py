"""The processes whose CPU time is told beside the load generator's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ops.instance import Instance


def roots(instance: Instance, workers: Sequence[int]) -> Mapping[str, Sequence[int]]:
    """Process ids by part: these workers, and the instance's servers, which count with all that they forked."""
    running = {process.name: process.pid for process in instance.status.processes}
    servers = {name: running.get(name) for name in ("postgres", "rabbitmq")}
    return {"worker": workers, **{name: [pid] for name, pid in servers.items() if pid is not None}}
