"""A frame as a screen: what is wrong in red, what nobody could tell as a dash."""

from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ops.top.asking import Broker, Database
from ops.top.frame import Frame, PartitionRow, Process, Time

_COLOURS: Final = {"ready": "green", "up": "green", "starting": "yellow", "stopping": "yellow"}
_DAY: Final = 86_400
_MANY: Final = 1_000
_AROUND_PARTITIONS: Final = 6
"""Lines of the panel of partitions that are none of them."""


def draw(frame: Frame, height: int | None = None) -> RenderableType:
    """All of it; `height` is how many lines there are: partitions that find no room are summed up in one line."""
    above = Group(_title(frame), _side_by_side(_commands(frame), _state(frame)))
    below = _processes(frame.processes)
    if height is None:
        return Group(above, below, _partitions(frame.partitions, len(frame.partitions)))
    taken = 1 + max(len(frame.times) + len(frame.commands) + len(frame.results) + 4, 12) + len(frame.processes) + 4
    return Group(above, below, _partitions(frame.partitions, max(height - taken - _AROUND_PARTITIONS, 3)))


def _title(frame: Frame) -> Text:
    since = f"over {frame.seconds:.1f} s" if frame.seconds else "the first look: rates come with the next"
    text = Text.assemble(
        ("mana top", "bold"), f"  {frame.where}  {frame.at:%H:%M:%S} UTC  {since}  ", ("q: quit", "dim")
    )
    text.no_wrap = True
    return text


def _side_by_side(left: RenderableType, right: RenderableType) -> Table:
    grid = Table.grid(expand=True)
    grid.add_column()
    grid.add_column(ratio=1)
    grid.add_row(left, right)
    return grid


def _commands(frame: Frame) -> Panel:
    rates = Table("commands", "per second", box=None, header_style="dim")
    rates.columns[1].justify = "right"
    for kind, rate in frame.commands.items():
        rates.add_row(kind, _rate(rate))
    for result, rate in frame.results.items():
        rates.add_row(Text(f"  {result}", style="dim" if result in {"ok", "replayed"} else "yellow"), _rate(rate))
    if not frame.commands:
        rates.add_row(Text("none", style="dim"), _rate(0.0))
    times = Table("answer times", "per second", "p50", "p99", box=None, header_style="dim")
    for column in times.columns[1:]:
        column.justify = "right"
    for one in frame.times:
        times.add_row(*_time(one))
    return Panel.fit(Group(rates, times), title="work", title_align="left")


def _time(one: Time) -> tuple[str, str, str, str]:
    return one.name, _rate(one.per_second), _milliseconds(one.p50_seconds), _milliseconds(one.p99_seconds)


def _state(frame: Frame) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_row("dead letters", _alarming(frame.dead_letters), f"{_rate(frame.dead_letters_per_second)}/s")
    table.add_row("events unconfirmed", _count(frame.events_unconfirmed), f"{_rate(frame.events_per_second)}/s out")
    table.add_row("sessions", _count(frame.sessions), _each(frame.sign_ins))
    for what, number in frame.waiting.items():
        table.add_row(f"{what} waiting", _count(int(number)))
    table.add_row("broker", *_broker(frame.broker, blocked=frame.broker_blocked))
    table.add_row("database", *_database(frame.database))
    return Panel(table, title="state", title_align="left")


def _broker(broker: Broker | str, *, blocked: bool) -> tuple[Text, str]:
    if isinstance(broker, str):
        return Text("down", style="red"), broker
    if blocked or broker.alarms:
        return Text("blocked", style="red"), ", ".join(broker.alarms) or "takes nothing from us"
    return Text("up", style="green"), f"{broker.version}, {broker.connections} connections"


def _database(database: Database | str) -> tuple[Text, str]:
    if isinstance(database, str):
        return Text("down", style="red"), database
    connections = f"{database.connections} of {database.connections_max} connections"
    return Text("up", style="green"), f"{_bytes(database.bytes)}, {connections}"


def _processes(processes: Sequence[Process]) -> Panel:
    table = Table("process", "state", "pid", "restarts", "up", "memory", "cpu", "", box=None, header_style="dim")
    for column in table.columns[2:7]:
        column.justify = "right"
    for one in processes:
        state = Text(one.state, style=_COLOURS.get(one.state, "red"))
        table.add_row(
            one.name,
            state,
            *("-" if number is None else str(number) for number in (one.pid, one.restarts)),
            _duration(one.up_seconds),
            _bytes(one.memory_bytes),
            "-" if one.cpu is None else f"{one.cpu:.0%}",
            one.why or "",
        )
    return Panel(table, title="processes", title_align="left")


def _partitions(rows: Sequence[PartitionRow], room: int) -> Panel:
    """Where there is no room for all, those with the greatest lag."""
    table = Table("partition", "owner", "ready", "unanswered", "unconfirmed", box=None, header_style="dim")
    for column in (table.columns[0], *table.columns[2:]):
        column.justify = "right"
    shown = rows if len(rows) <= room else sorted(rows, key=lambda row: -row.lag)[:room]
    for row in sorted(shown, key=lambda row: row.partition):
        owner = Text("nobody", style="red") if row.owner is None else Text(row.owner)
        table.add_row(str(row.partition), owner, _count(row.ready), _count(row.unanswered), _count(row.unconfirmed))
    owned = dict[str, int]()
    for row in rows:
        owned[row.owner or "nobody"] = owned.get(row.owner or "nobody", 0) + 1
    told = ", ".join(f"{owner} {number}" for owner, number in sorted(owned.items())) or "nobody tells of any"
    hidden = len(rows) - len(shown)
    more = f"; {hidden} with less lag are not shown" if hidden else ""
    return Panel(
        Group(table, Text(f"{len(rows)} partitions: {told}{more}", style="dim")), title="partitions", title_align="left"
    )


def _each(rates: Mapping[str, float]) -> str:
    return ", ".join(f"{kind} {_rate(rate)}/s" for kind, rate in rates.items())


def _alarming(number: int | None) -> Text:
    return Text(_count(number), style="red" if number else "")


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}".replace(",", " ")


def _rate(rate: float) -> str:
    return f"{rate:.1f}" if rate < _MANY else _count(round(rate))


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    days, left = divmod(int(seconds), _DAY)
    return f"{days} d {left // 3600:02} h" if days else f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}"


def _bytes(number: float | None) -> str:
    if number is None:
        return "-"
    return f"{number / 2**20:.0f} MB" if number < 2**30 else f"{number / 2**30:.1f} GB"
