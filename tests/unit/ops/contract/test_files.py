"""Goal: what is committed is what the code makes, and the standards' own validators take it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from contracts import schemas
from ops.contract import __main__ as program
from ops.contract import documents

AGAIN = "run .venv/bin/python -m ops.contract write, and commit what it writes"
COMMITTED = documents.FOLDER
OFFICIAL = Path(__file__).parent / "asyncapi" / "3.0.0.json.gz"
"""AsyncAPI's own JSON Schema of its documents, as the package @asyncapi/specs has it, with the bindings of AMQP."""


def held(name: str) -> Any:
    return json.loads((documents.FOLDER / name).read_text())


def complaints(document: Any) -> list[str]:
    validator = Draft7Validator(json.loads(gzip.decompress(OFFICIAL.read_bytes())))
    return [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(document)]


def test_the_files_are_current() -> None:
    assert documents.outdated() == [], AGAIN


def test_the_program_says_what_is_outdated_and_writes_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(documents, "FOLDER", tmp_path / "contract")
    monkeypatch.setattr(schemas, "FOLDER", tmp_path / "schemas")
    (tmp_path / "contract").mkdir()
    (tmp_path / "contract" / "old.html").write_text("")
    assert program.main(["write"]) == 0
    assert sorted(path.name for path in documents.FOLDER.iterdir()) == sorted(path.name for path in COMMITTED.iterdir())
    (tmp_path / "contract" / "events.md").write_text("other")
    (tmp_path / "contract" / "old.html").write_text("")
    (tmp_path / "schemas" / "credits.use.json").unlink()
    assert program.main(["check"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(
        "Outdated: credits.use.json, events.md, old.html. Run .venv/bin/python -m ops.contract write"
    )


def test_openapi_is_valid() -> None:
    document = held("openapi.json")
    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_an_invalid_openapi_is_not() -> None:
    document = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": {"/x": {"get": {"responses": {"200": {}}}}},
    }
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) != []


def test_asyncapi_is_valid() -> None:
    document = held("asyncapi.json")
    assert document["asyncapi"] == "3.0.0"
    assert complaints(document) == []


@pytest.mark.parametrize("path", ["channels/commands/bindings/amqp", "operations/credits.use", "info"])
def test_an_invalid_asyncapi_is_not(path: str) -> None:
    document = held("asyncapi.json")
    part = document
    for name in path.split("/"):
        part = part[name]
    part["is"] = "unheard of"
    assert complaints(document) != []


def test_asyncapis_parts_belong_together() -> None:
    """What its schema cannot say: operations use messages of their channel, and addresses their parameters."""
    document = held("asyncapi.json")
    for name, operation in document["operations"].items():
        for part in (operation, operation.get("reply")):
            if part is not None:
                channel = part["channel"]["$ref"]
                assert all(one["$ref"].startswith(f"{channel}/messages/") for one in part["messages"]), name
    for channel in document["channels"].values():
        used = set((channel["address"] or "").replace("{", " ").replace("}", " ").replace(".", " ").split())
        assert used == channel.get("parameters", {}).keys()
