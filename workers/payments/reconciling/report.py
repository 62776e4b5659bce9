"""What a run has found, as it grows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from workers.payments.reconciling.model import Difference
from workers.payments.reconciling.store import Counts


@dataclass
class Report:
    """``missing`` and ``on_their_way``: events that are not here, by type; the latter happened only just now.

    ``alarmed``: what was fed and nothing came of, each with why. ``unfinished``: fed, and not done yet.
    """

    since: datetime
    dry_run: bool
    events: int = 0
    missing: Counter[str] = field(default_factory=Counter[str])
    on_their_way: Counter[str] = field(default_factory=Counter[str])
    payments: int = 0
    differences: list[Difference] = field(default_factory=list[Difference])
    fed: int = 0
    alarmed: dict[str, str] = field(default_factory=dict[str, str])
    unfinished: int = 0

    @property
    def unmended(self) -> list[Difference]:
        """What no event mends."""
        return [one for one in self.differences if one.mend is None]

    @property
    def differs(self) -> bool:
        """Whether something differs still, as far as is known, and will without somebody."""
        unfed = self.dry_run and (bool(self.missing) or any(not one.young for one in self.differences))
        return unfed or bool(self.unmended or self.alarmed)

    @property
    def counts(self) -> Counts:
        """In numbers; what may only be on its way is not counted as missing or different."""
        return Counts(
            events=self.events,
            missing=self.missing.total(),
            payments=self.payments,
            differences=sum(not one.young for one in self.differences),
            fed=self.fed,
            unmended=len(self.unmended) + len(self.alarmed),
        )
