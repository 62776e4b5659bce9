"""What Prometheus answers is a table of its labels, the greatest value first."""

from __future__ import annotations

import math

from ops.monitoring.answered import NOTHING, table
from ops.monitoring.asking import Sample


def test_series_are_lines_and_labels_are_columns() -> None:
    samples = [
        Sample({"__name__": "up", "job": "front", "instance": "api"}, 0.0),
        Sample({"__name__": "up", "job": "worker"}, 1.0),
        Sample({"job": "mail"}, math.nan),
    ]
    assert table(samples).splitlines() == [
        "metric  job     instance  value",
        "up      worker  -         1",
        "up      front   api       0",
        "-       mail    -         nan",
    ]


def test_a_number_stands_alone_and_nothing_is_said() -> None:
    assert table([Sample({}, 1234567890.5)]) == "1234567890"
    assert table([]) == NOTHING
