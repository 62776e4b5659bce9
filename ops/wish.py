"""What is asked for when an instance comes up."""

from dataclasses import dataclass

from ops.addresses import DATABASE
from ops.layout import Pooling


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    `partitions` None: those that exist, else the default. `database`: a private server's. `with_stand_in`: buying, at a
    stand-in for Stripe. `monitored`: by a Prometheus of our own. `pooling`: fronts go through PgBouncer.
    """

    workers: int
    partitions: int | None
    processes: bool = True
    database: str = DATABASE
    with_stand_in: bool = False
    monitored: bool = False
    pooling: Pooling | None = None
