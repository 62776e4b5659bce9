"""A dashboard as one SVG picture: lines and areas as Grafana would show them, without Grafana."""

from dataclasses import dataclass
from html import escape

from ops.monitoring.asking import Series, Span
from ops.monitoring.dashboards import COLUMNS, Dashboard, Panel
from ops.monitoring.figures import clock, ticks, written

_COLUMN, _ROW = 50, 28
_HEAD = 40
_LEFT, _TOP, _BOTTOM, _RIGHT = 54, 26, 20, 10
_LEGEND_LINE = 13
_LEGEND_COLUMNS, _LEGEND_MOST = 2, 12
_COLOURS = (
    "#3274d9", "#e0752d", "#56a64b", "#c4162a", "#8f3bb8", "#0a9a9a", "#b8860b", "#e24d8b", "#5a6b7b", "#7b9e2f",
)  # fmt: skip
_GONE = "-"
_GRID, _INK, _FAINT = "#e3e6ea", "#22272e", "#6b7480"
_FONT = "font-family='DejaVu Sans, Helvetica, Arial, sans-serif'"


@dataclass(frozen=True)
class Line:
    """A series with its name in the legend."""

    name: str
    series: Series


@dataclass(frozen=True)
class _Box:
    """Where a plot's figures go: its edges in the picture, and what they stand for."""

    left: float
    top: float
    width: float
    height: float
    span: Span
    highest: float

    def x(self, at: float) -> float:
        return self.left + self.width * (at - self.span.start) / (self.span.end - self.span.start)

    def y(self, value: float) -> float:
        return self.top + self.height * (1 - value / self.highest)


def picture(dashboard: Dashboard, lines: list[list[Line]], span: Span) -> str:
    """The whole page: `lines` are those of each panel. Its metadata is the digest of the dashboard that is drawn."""
    bottom = max(panel.place[1] + panel.place[3] for panel in dashboard.panels)
    width, height = COLUMNS * _COLUMN, _HEAD + bottom * _ROW
    shown = f"{clock(span.start)} to {clock(span.end)} UTC"
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' viewBox='0 0 {width} {height}'>",
        f"<metadata>{dashboard.digest}</metadata>",
        f"<rect width='{width}' height='{height}' fill='#f7f8fa'/>",
        _text(10, 26, dashboard.title, size=18, bold=True),
        _text(width - 10, 26, shown, colour=_FAINT, anchor="end"),
        *(_panel(panel, drawn, span) for panel, drawn in zip(dashboard.panels, lines, strict=True)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panel(panel: Panel, lines: list[Line], span: Span) -> str:
    x, y, w, h = panel.place
    left, top, width, height = x * _COLUMN + 3, _HEAD + y * _ROW + 3, w * _COLUMN - 6, h * _ROW - 6
    parts = [
        f"<g><title>{escape(panel.description)}</title>",
        f"<rect x='{left}' y='{top}' width='{width}' height='{height}' rx='3' fill='#fff' stroke='{_GRID}'/>",
        _text(left + 8, top + 17, panel.title, size=12, bold=True),
    ]
    if panel.kind == "stat":
        parts += [_stat(_last(line, panel.unit, span), left + width / 2, top + height / 2) for line in lines]
        return "\n".join([*parts, "</g>"])
    legend = _legend(lines, panel.unit, span)
    rows = -(-len(legend) // _LEGEND_COLUMNS)
    plot = height - _TOP - _BOTTOM - _LEGEND_LINE * rows
    box = _Box(
        left + _LEFT, top + _TOP, width - _LEFT - _RIGHT, plot, span, ticks(_highest(panel, lines), panel.unit)[-1]
    )
    parts += [_axes(box, panel), *(_areas(box, lines) if panel.stacked else _lines(box, lines))]
    for number, entry in enumerate(legend):
        column, row = divmod(number, rows)
        x = left + 14 + column * (width - 14) / _LEGEND_COLUMNS
        parts.append(_entry(entry, x, box.top + box.height + _BOTTOM + 7 + _LEGEND_LINE * row))
    return "\n".join([*parts, "</g>"])


def _stat(text: str, x: float, y: float) -> str:
    return _text(x, y + 14, text, size=40, bold=True, anchor="middle")


def _last(line: Line, unit: str, span: Span) -> str:
    """Its figure at the end; of a series that ended before, none: what nobody tells any more is not so still."""
    at, value = line.series.points[-1]
    return written(value, unit) if _joined(at, span.end, span) else _GONE


def _joined(earlier: float, later: float, span: Span) -> bool:
    """Whether nothing is missing in between."""
    return later - earlier <= 1.5 * span.step


def _entry(entry: tuple[str, str], x: float, y: float) -> str:
    colour, text = entry
    mark = f"<rect x='{x:.1f}' y='{y - 7:.1f}' width='9' height='3' fill='{colour}'/>"
    return mark + _text(x + 13, y - 2, text, size=10)


def _legend(lines: list[Line], unit: str, span: Span) -> list[tuple[str, str]]:
    """Colour and text; the last line tells of those that have no room."""
    told = [(_colour(number), f"{line.name}: {_last(line, unit, span)}") for number, line in enumerate(lines)]
    if len(told) <= _LEGEND_MOST:
        return told
    return [*told[: _LEGEND_MOST - 1], (_GRID, f"and {len(told) - _LEGEND_MOST + 1} more")]


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _highest(panel: Panel, lines: list[Line]) -> float:
    if not panel.stacked:
        return max((value for line in lines for _, value in line.series.points), default=0.0)
    return max(_sums(lines).values(), default=0.0)


def _sums(lines: list[Line]) -> dict[float, float]:
    sums = dict[float, float]()
    for line in lines:
        for at, value in line.series.points:
            sums[at] = sums.get(at, 0.0) + value
    return sums


def _axes(box: _Box, panel: Panel) -> str:
    parts = list[str]()
    for value in ticks(box.highest, panel.unit):
        y = box.y(value)
        parts.append(f"<path d='M{box.left:.1f} {y:.1f}h{box.width:.1f}' stroke='{_GRID}'/>")
        parts.append(_text(box.left - 5, y + 3, written(value, panel.unit), size=9, colour=_FAINT, anchor="end"))
    middle = (box.span.start + box.span.end) / 2
    for at, anchor in ((box.span.start, "start"), (middle, "middle"), (box.span.end, "end")):
        parts.append(_text(box.x(at), box.top + box.height + 13, clock(at), size=9, colour=_FAINT, anchor=anchor))
    return "\n".join(parts)


def _lines(box: _Box, lines: list[Line]) -> list[str]:
    return [
        f"<path d='{_stroke(box, line.series.points)}' fill='none' stroke='{_colour(number)}' stroke-width='1.4'/>"
        for number, line in enumerate(lines)
    ]


def _stroke(box: _Box, points: list[tuple[float, float]]) -> str:
    """From point to point; where some are missing in between, the pen is lifted."""
    words, last = list[str](), None
    for at, value in points:
        joined = last is not None and _joined(last, at, box.span)
        words.append(f"{'L' if joined else 'M'}{box.x(at):.1f} {box.y(value):.1f}")
        if not joined:
            words.append("h0.1")  # one that stands alone is to be seen
        last = at
    return "".join(words)


def _areas(box: _Box, lines: list[Line]) -> list[str]:
    """Each on top of those before. Where none has a figure, nothing is painted."""
    times = sorted(_sums(lines))
    runs = _runs(times, box.span)
    below = dict.fromkeys(times, 0.0)
    parts = list[str]()
    for number, line in enumerate(lines):
        figures = dict(line.series.points)
        above = {at: below[at] + figures.get(at, 0.0) for at in times}
        outline = "".join(_outline(box, run, above, below) for run in runs)
        colour = _colour(number)
        parts.append(f"<path d='{outline}' fill='{colour}' fill-opacity='0.35' stroke='{colour}'/>")
        below = above
    return parts


def _runs(times: list[float], span: Span) -> list[list[float]]:
    """The times, apart where some are missing in between."""
    runs = list[list[float]]()
    for at in times:
        if runs and _joined(runs[-1][-1], at, span):
            runs[-1].append(at)
        else:
            runs.append([at])
    return runs


def _outline(box: _Box, times: list[float], above: dict[float, float], below: dict[float, float]) -> str:
    upper = "L".join(f"{box.x(at):.1f} {box.y(above[at]):.1f}" for at in times)
    lower = "L".join(f"{box.x(at):.1f} {box.y(below[at]):.1f}" for at in reversed(times))
    return f"M{upper}L{lower}Z"


def _text(
    x: float, y: float, text: str, *, size: int = 11, colour: str = _INK, anchor: str = "start", bold: bool = False
) -> str:
    weight = " font-weight='600'" if bold else ""
    place = f"x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}'"
    return f"<text {place} {_FONT} font-size='{size}'{weight} fill='{colour}'>{escape(text)}</text>"
