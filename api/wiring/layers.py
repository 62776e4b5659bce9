"""What stands around the application, the outermost first."""

from __future__ import annotations

from collections.abc import Sequence

from api import cross_origin
from api.app import Layer
from api.edge import Edge
from api.limits import BodyLimit
from api.metrics import HttpMetrics
from api.wiring.parts import Parts


def layers(parts: Parts) -> Sequence[Layer]:
    """The edge sees every answer; pages of other origins can read what the inner ones refuse."""
    metrics = HttpMetrics(parts.registry)
    return (lambda app: Edge(app, metrics), cross_origin.layer(parts.settings.cors_origins), BodyLimit)
