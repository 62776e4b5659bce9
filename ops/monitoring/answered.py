"""What Prometheus answered, as people read it."""

import math

from ops.monitoring.asking import Sample

_VALUE = "value"
_GAP = "  "
NOTHING = "Nothing: no series is so."


def table(samples: list[Sample]) -> str:
    """A line for each series, the greatest first: its labels, and its value."""
    if not samples:
        return NOTHING
    labels = list(dict.fromkeys(name for sample in samples for name in sample.labels))
    ordered = sorted(samples, key=lambda sample: (math.isnan(sample.value), -sample.value))
    rows = [[*(sample.labels.get(name, "-") for name in labels), f"{sample.value:.10g}"] for sample in ordered]
    head = ["metric" if name == "__name__" else name for name in labels]
    cells = [[*head, _VALUE], *rows] if labels else rows
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = [_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(lines)
