"""Pictures of dashboards: figures that people can read, and lines where their values are."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET  # what we made ourselves

import pytest

from ops.monitoring.__main__ import main
from ops.monitoring.asking import Series, Span
from ops.monitoring.dashboards import Dashboard, Panel, Query
from ops.monitoring.drawing import Line, picture
from ops.monitoring.figures import ticks, written

SVG = "{http://www.w3.org/2000/svg}"
SPAN = Span(1_800_000_000, 1_800_000_100, 10)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "s", "0 s"),
        (0.0042, "s", "4.2 ms"),
        (0.00012, "s", "120 µs"),
        (90, "s", "1.5 min"),
        (7200, "s", "2 h"),
        (172_800, "s", "2 d"),
        (67 * 2**20, "bytes", "67 MiB"),
        (512, "bytes", "512 B"),
        (4700, "reqps", "4.7k/s"),
        (0.021, "percentunit", "2.1 %"),
        (1_250_000, "short", "1.25M"),
        (3, "short", "3"),
    ],
)
def test_figures_are_written_in_their_unit(value: float, unit: str, text: str) -> None:
    assert written(value, unit) == text


@pytest.mark.parametrize(
    ("highest", "unit", "expected"),
    [
        (0, "short", [0, 1]),
        (8, "short", [0, 2, 4, 6, 8]),
        (0.3, "s", [0, 0.1, 0.2, 0.3]),
        (4700, "reqps", [0, 2000, 4000, 6000]),
        (127 * 2**20, "bytes", [0, 50 * 2**20, 100 * 2**20, 150 * 2**20]),
    ],
)
def test_the_plot_ends_at_a_round_figure_that_is_not_below_the_highest(
    highest: float, unit: str, expected: list[float]
) -> None:
    assert ticks(highest, unit) == pytest.approx(expected)


def _dashboard(*, stacked: bool) -> Dashboard:
    query = Query('sum by (result) (rate(x{a="<b>"}[$__rate_interval]))', "{{result}}")
    return Dashboard(
        "one", "Mana: <one>", [Panel("A & B", "what it is", "timeseries", "short", stacked, (0, 0, 24, 8), [query])]
    )


def _drawn(lines: list[Line], *, stacked: bool = False) -> ET.Element:
    return ET.fromstring(picture(_dashboard(stacked=stacked), [lines], SPAN))


def _texts(root: ET.Element) -> list[str]:
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def _paths(root: ET.Element, *, filled: bool) -> list[str]:
    fills = ((path.attrib["d"], path.get("fill")) for path in root.iter(f"{SVG}path"))
    return [drawn for drawn, fill in fills if fill is not None and (fill != "none") == filled]


def test_rates_look_back_as_far_as_they_are_told_and_series_are_called_by_their_labels() -> None:
    query = _dashboard(stacked=False).panels[0].queries[0]
    assert query.within(40) == 'sum by (result) (rate(x{a="<b>"}[40s]))'
    assert query.name({"result": "ok"}) == "ok"
    assert query.name({}) == "none"


def test_titles_and_legends_are_text_and_no_markup() -> None:
    texts = _texts(_drawn([Line("<ok>", Series({}, [(SPAN.end, 3.0)]))]))
    assert {"Mana: <one>", "A & B", "<ok>: 3"} <= set(texts)


def test_a_line_goes_through_its_points_and_is_broken_where_some_are_missing() -> None:
    points = [(SPAN.start, 0.0), (SPAN.start + 10, 4.0), (SPAN.start + 60, 4.0), (SPAN.end, 0.0)]
    (stroke,) = _paths(_drawn([Line("a", Series({}, points))]), filled=False)
    assert stroke.count("M") == 3
    assert stroke.count("L") == 1


def test_areas_stand_on_each_other() -> None:
    """The second begins where the first ends: its lower edge is the first one's upper edge, backwards."""
    lines = [Line(name, Series({}, [(SPAN.start, 2.0), (SPAN.start + 10, 2.0)])) for name in ("a", "b")]
    first, second = _paths(_drawn(lines, stacked=True), filled=True)
    upper_of_first = first[1:].split("L")[:2]
    lower_of_second = second[1:-1].split("L")[2:]
    assert lower_of_second == list(reversed(upper_of_first))


def test_areas_are_not_painted_over_a_time_without_any_figure() -> None:
    points = [(SPAN.start, 2.0), (SPAN.start + 10, 2.0), (SPAN.start + 90, 2.0), (SPAN.end, 2.0)]
    (area,) = _paths(_drawn([Line("a", Series({}, points))], stacked=True), filled=True)
    assert (area.count("M"), area.count("Z")) == (2, 2)


def test_what_nobody_tells_any_more_has_no_figure() -> None:
    lines = [Line("on", Series({}, [(SPAN.end - 4, 3.0)])), Line("ended", Series({}, [(SPAN.end - 40, 3.0)]))]
    assert {"on: 3", "ended: -"} <= set(_texts(_drawn(lines)))


def test_what_has_no_room_in_the_legend_is_counted() -> None:
    lines = [Line(f"l{number}", Series({}, [(SPAN.start, 1.0)])) for number in range(15)]
    assert "and 4 more" in _texts(_drawn(lines))


def test_a_panel_without_figures_is_drawn_empty() -> None:
    assert "A & B" in _texts(_drawn([]))


def test_without_a_prometheus_it_says_how_there_is_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["draw", "--to", str(tmp_path)]) == 1
    assert "./mana up --monitoring" in capsys.readouterr().err
