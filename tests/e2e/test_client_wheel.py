"""Goal: `mana-client` is whole in its wheel: installed with nothing of the service beside it, its README is true."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ops.instance import Instance
from ops.place import CHECKOUT
from tests.e2e.client import Client

PACKAGE = CHECKOUT / "clients" / "python"
_SECONDS = 60.0


@dataclass(frozen=True)
class Apart:
    """A folder with the README's programs, and a Python that knows the client and what that needs."""

    folder: Path
    python: Path

    def start(self, instance: Instance, *arguments: str) -> subprocess.Popen[str]:
        """Runs a program there, with the instance's public addresses and nothing else of the surroundings."""
        return subprocess.Popen(
            [self.python, *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], **instance.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, instance: Instance, *arguments: str) -> str:
        """What a program there prints."""
        process = self.start(instance, *arguments)
        said, complaints = process.communicate(timeout=_SECONDS)
        assert (process.returncode, complaints) == (0, "")
        return said


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the package's own backend from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    _pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), str(PACKAGE))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module", params=["lent", pytest.param("fetched", marks=pytest.mark.slow)])
def apart(wheel: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Apart:
    """With the wheel installed, and all that it says it needs, and nothing else: lent from the tests' own environment,
    or the newest that the index has."""
    folder = tmp_path_factory.mktemp("apart")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    where = ("--no-deps", "--no-index") if request.param == "lent" else ("--prefer-binary",)
    _pip("--python", str(python), "install", "--quiet", *where, f"{wheel}[fastapi]")
    if request.param == "lent":
        _lend(folder / "venv")
    names = ("spend.py", "follow.py", "web.py")
    blocks = re.findall(r"^```python\n(.*?)^```$", (PACKAGE / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    for name, block in zip(names, blocks, strict=True):
        (folder / name).write_text(block)
    (folder / "web_check.py").write_text((CHECKOUT / "tests" / "e2e" / "apart" / "web_check.py").read_text())
    return Apart(folder, python)


def _lend(environment: Path) -> None:
    """Links into it what its one package needs, and what that needs, by what each says of itself."""
    [packages] = environment.glob("lib/*/site-packages")
    [own] = metadata.distributions(path=[str(packages)], name="mana-client")
    wanted, lent = [(own, {"fastapi"})], set[str]()
    while wanted:
        needing, extras = wanted.pop()
        for requirement in map(Requirement, needing.requires or ()):
            environments = [{"extra": extra} for extra in extras or {""}]
            if requirement.marker is not None and not any(map(requirement.marker.evaluate, environments)):
                continue
            found = metadata.distribution(requirement.name)
            assert requirement.specifier.contains(found.version), f"{requirement}: {found.version} is here"
            if canonicalize_name(found.name) not in lent:
                lent.add(canonicalize_name(found.name))
                wanted.append((found, requirement.extras))
                _link(found, packages)


def _link(package: metadata.Distribution, into: Path) -> None:
    for part in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
        (into / part).symlink_to(Path(str(package.locate_file(part))).resolve())


def test_it_holds_the_package_whole_and_nothing_else(wheel: Path) -> None:
    ours = {
        path.relative_to(PACKAGE).as_posix()
        for path in (PACKAGE / "mana_client").rglob("*")
        if path.suffix == ".py" or path.name == "py.typed"
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == ours
    assert "mana_client/py.typed" in held


async def test_its_first_example(apart: Apart, instance: Instance, client: Client, opened_user: str) -> None:
    assert apart.run(instance, "spend.py", opened_user) == "147 credits left\n"
    await client.use(opened_user, 145)
    assert apart.run(instance, "spend.py", opened_user) == "3 credits are needed, and 2 are left\n"


async def test_its_example_of_following(apart: Apart, instance: Instance, client: Client, opened_user: str) -> None:
    """Stopped as by Ctrl-C behind the first event, it goes on with that one: it had not asked for the next."""
    for amount in (3, 4):
        await client.use(opened_user, amount)
    first, second = (f"{opened_user} credits.used {told}" for told in ("-3 147", "-4 143"))
    assert _until(apart.start(instance, "follow.py"), second)[-2:] == [first, second]
    assert json.loads((apart.folder / "chat.position").read_text())["offset"] > 0
    await client.use(opened_user, 5)
    third = f"{opened_user} credits.used -5 138"
    again = _until(apart.start(instance, "follow.py"), third)
    assert [line for line in again if line.startswith(opened_user)] in ([third], [second, third])


def _until(process: subprocess.Popen[str], last: str) -> list[str]:
    """The lines up to that one."""
    lines: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if lines[-1] == last:
                return lines
    finally:
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=_SECONDS)
    raise AssertionError(complaints)


def test_its_example_of_a_web_app(apart: Apart, instance: Instance) -> None:
    """And each of its modules can be imported, where none of the service's can."""
    modules, of_the_service, answers = map(json.loads, apart.run(instance, "web_check.py").splitlines())
    assert modules == len(list((PACKAGE / "mana_client").rglob("*.py"))) - 1
    assert of_the_service == []
    assert answers == [True, 403, 403, 401]


def _pip(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
