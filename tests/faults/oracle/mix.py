"""What a load is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Mix:
    """Parts of the load. Without a front the part of REST are uses too.

    Of ``insufficient`` nobody could ever pay. The poor can soon after: credits are granted right behind each refusal,
    and the refused message is sent once more. Without poor users their part is ``insufficient``. Refunds are of uses
    that were acknowledged, some of them more than once; grants that are ``expiring`` do so some seconds later. The uses
    are by one of the ``apps``, by chance.
    """

    use: float = 0.70
    replay: float = 0.10
    conflict: float = 0.05
    insufficient: float = 0.03
    rest: float = 0.10
    poor: float = 0.02
    refund: float = 0.0
    grant: float = 0.0
    expiring: float = 0.0
    adjust: float = 0.0
    apps: tuple[str, ...] = ("chat",)


NOT_OVER_REST: Final = Mix(use=0.80, rest=0.0)
"""For a load that no front is to have a part in; who uses it says why."""


def kinds(mix: Mix, *, with_rest: bool, with_poor: bool) -> tuple[list[str], list[float]]:
    """The kinds of commands, and how often each comes."""
    parts = {
        "use": mix.use + (0.0 if with_rest else mix.rest),
        "replay": mix.replay,
        "conflict": mix.conflict,
        "insufficient": mix.insufficient + (0.0 if with_poor else mix.poor),
        "rest": mix.rest if with_rest else 0.0,
        "poor": mix.poor if with_poor else 0.0,
        "refund": mix.refund,
        "grant": mix.grant,
        "expiring": mix.expiring,
        "adjust": mix.adjust,
    }
    return list(parts), list(parts.values())
