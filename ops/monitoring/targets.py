"""Whom the instance's own Prometheus asks."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from ops import ports
from ops.program import Program
from ops.servers.prometheus import Target, Targets

_JOB_OF_FRONT = {"api": "front"}


def job_of(name: str) -> str:
    """The job, in Prometheus' configuration, of a process of ours: all workers are of one."""
    kind = name.split("-", maxsplit=1)[0]
    return _JOB_OF_FRONT.get(kind, kind)


def of(programs: Iterable[Program], broker: int | None) -> Targets:
    """All of our processes, and the broker's page of metrics at that port: None where the broker is a given one."""
    found = dict[str, list[Target]]()
    for program in programs:
        target = Target(program.name, urlsplit(program.url or "").netloc)
        found.setdefault(job_of(program.name), []).append(target)
    if broker is not None:
        found["rabbitmq"] = found["rabbitmq-queues"] = [Target("rabbitmq", f"{ports.LOOPBACK}:{broker}")]
    return found
