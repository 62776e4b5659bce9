"""What all pages are made of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import escape
from typing import Any, Final

_STYLE: Final = """
  :root { color-scheme: light dark; --line: #8885; --quiet: #777; --back: #8881; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem; }
  code, pre { font: 13.5px/1.45 ui-monospace, monospace; background: var(--back); border-radius: 4px; }
  code { padding: .1em .3em; overflow-wrap: anywhere; } pre { padding: .7rem; overflow-x: auto; }
  table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
  th, td { border: 1px solid var(--line); padding: .25rem .5rem; text-align: left; vertical-align: top; }
  th { background: var(--back); font-weight: 600; }
  details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; padding: .4rem .8rem; }
  summary { cursor: pointer; } nav ul { columns: 16rem; } h2 { margin-top: 2.5rem; } .quiet { color: var(--quiet); }
"""


def page(title: str, *parts: str) -> str:
    """One file, complete by itself."""
    head = (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n"
    )
    return head + "\n".join([f"<h1>{escape(title)}</h1>", *parts, "</html>"]) + "\n"


def prose(text: str) -> str:
    """A sentence in which `code` is marked as Markdown does."""
    return re.sub(r"`+([^`]+)`+", r"<code>\1</code>", escape(text, quote=False))


def paragraph(text: str) -> str:
    """Nothing for an empty text."""
    return f"<p>{prose(text)}</p>" if text else ""


def code(text: str) -> str:
    """A piece of code in a line."""
    return f"<code>{escape(text, quote=False)}</code>"


def block(value: Any) -> str:
    """JSON."""
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False), quote=False)}</pre>"


def heading(level: int, text: str, anchor: str = "") -> str:
    """A heading, which can be led to where it has an anchor. The text is HTML."""
    return f'<h{level} id="{escape(anchor)}">{text}</h{level}>' if anchor else f"<h{level}>{text}</h{level}>"


def link(target: str, text: str) -> str:
    """The text is HTML."""
    return f'<a href="{escape(target)}">{text}</a>'


def made_of(source: str, format_name: str) -> str:
    """Where a page comes from, and the way to the others."""
    return f"<p>Made of {link(source, source)} ({format_name}); {link('index.html', 'all of the contract')}.</p>"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Cells are HTML. Nothing where there are no rows."""
    lines = ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    if not lines:
        return ""
    first = "<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>"
    return "\n".join(["<table>", first, *lines, "</table>"])


def listed(items: Iterable[str]) -> str:
    """Items are HTML."""
    return "\n".join(["<ul>", *(f"<li>{item}</li>" for item in items), "</ul>"])


def folded(summary: str, *parts: str, anchor: str = "") -> str:
    """Shown when it is asked for; browsers also open it when they are led there. The summary is HTML."""
    name = f' id="{escape(anchor)}"' if anchor else ""
    return "\n".join([f"<details{name}><summary>{summary}</summary>", *filter(None, parts), "</details>"])
