"""What the mail worker counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Counter


class MailMeters:
    """Made once per registry."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.sent = Counter("mana_mails_sent", "Mails handed over, by kind", ("kind",), registry=registry)
        self.needless = Counter(
            "mana_mails_needless", "Orders that came to nothing, as when nobody has the address", registry=registry
        )
        self.postponed = Counter("mana_mails_postponed", "Tries that failed for the time being", registry=registry)
        self.failed = Counter("mana_mails_failed", "Orders given up", registry=registry)
