"""What stands around the application, the outermost first."""

from __future__ import annotations

from collections.abc import Sequence

from api import cross_origin
from api.app import Layer
from api.edge import Edge
from api.limits import BodyLimit
from api.metrics import HttpMetrics
from api.proxies import Proxies
from api.security_headers import SecurityHeaders
from api.throttle.gate import Gate
from api.wiring import tracing
from api.wiring.parts import Parts


def layers(parts: Parts) -> Sequence[Layer]:
    """The edge sees every answer; pages of other origins can read what the inner ones refuse; nothing is read of a
    body before its sender was counted."""
    metrics, settings = HttpMetrics(parts.registry), parts.settings
    return (
        *tracing.requests(parts.spans),
        lambda app: Edge(app, metrics),
        SecurityHeaders,
        cross_origin.layer(settings.cors_origins),
        lambda app: Proxies(app, settings.trusted_proxies),
        lambda app: Gate(app, parts.throttle),
        BodyLimit,
    )
