"""The generated files of ``contracts/schemas/``: ``.venv/bin/python -m contracts.schemas`` writes them.

``--check`` writes nothing, and exits with 1 where a file is not what the code says.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from contracts.replies import REPLY_TYPE
from contracts.schema_documents import (
    EVENT_TYPES,
    PUBLIC_COMMANDS,
    Json,
    command_document,
    error_codes_document,
    event_document,
    reply_document,
)

FOLDER: Final = Path(__file__).parent / "schemas"


def documents() -> dict[str, Json]:
    """Every document by its file's name."""
    return {
        **{f"{name}.json": command_document(name) for name in PUBLIC_COMMANDS},
        f"{REPLY_TYPE}.json": reply_document(),
        **{f"event.{event}.json": event_document(event) for event in EVENT_TYPES},
        "error-codes.json": error_codes_document(),
    }


def outdated() -> list[str]:
    """The names of files that are missing, differ from what the code says, or have no business there."""
    wanted = _texts()
    held = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    return sorted(name for name in wanted.keys() | held.keys() if wanted.get(name) != held.get(name))


def write() -> None:
    """Makes the folder hold exactly the documents."""
    FOLDER.mkdir(exist_ok=True)
    wanted = _texts()
    for path in FOLDER.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text)


def _texts() -> dict[str, str]:
    return {name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in documents().items()}


def main(arguments: list[str] | None = None) -> int:
    """The program; answers its exit status."""
    parser = argparse.ArgumentParser(prog=".venv/bin/python -m contracts.schemas", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where a file is outdated")
    if not parser.parse_args(arguments).check:
        write()
        return 0
    names = outdated()
    if names:
        run = "Run .venv/bin/python -m contracts.schemas and commit what it writes."
        sys.stderr.write(f"Outdated: {', '.join(names)}. {run}\n")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
