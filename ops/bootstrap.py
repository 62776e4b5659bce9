"""Makes the virtual environment, then hands over to `python -m ops`.

Runs on a bare Python 3.11, before anything is installed: only the standard library, and nothing of ours.
An environment is good as long as its marker holds the hash of the lock file that it was made from.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

CHECKOUT = Path(__file__).resolve().parent.parent
ENVIRONMENT = CHECKOUT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
LOCKS = CHECKOUT / "ops" / "lock"
MARKER = ENVIRONMENT / "mana-lock"
OLDEST_PYTHON = (3, 11)


class BootstrapError(Exception):
    """One sentence: what is missing, and what to do about it."""


def main(arguments: list[str]) -> NoReturn:
    """Make sure of the environment, then become the launcher."""
    try:
        tests = arguments[:1] == ["test"] and "--help" not in arguments
        ensure("dev" if tests else "runtime")
        _become(arguments)
    except BootstrapError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"The environment in {ENVIRONMENT} cannot be used ({error}): remove that folder, then start again.")
    except KeyboardInterrupt:
        sys.exit(130)


def _become(arguments: list[str]) -> NoReturn:
    # -P and PYTHONPATH: our modules are found in the checkout, whatever lies in the folder that we are called from.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "clients" / "python")])
    os.execv(PYTHON, [str(PYTHON), "-P", "-m", "ops", *arguments])  # noqa: S606 - no shell is what we want


def ensure(lock: str) -> None:
    """Make the environment hold what `ops/lock/LOCK.txt` pins. Raises BootstrapError when it cannot be made."""
    if sys.version_info < OLDEST_PYTHON:
        raise BootstrapError(f"Python 3.11 or later is needed, and this is {sys.version.split()[0]}: install it.")
    wanted = {name: _hash_of(name) for name in ("runtime", "dev")}
    if _is_good(lock, wanted):
        return
    try:
        guard = os.open(LOCKS, os.O_RDONLY)
        fcntl.flock(guard, fcntl.LOCK_EX)  # two first starts at once: the second waits, and finds it done
        if not _is_good(lock, wanted):
            _make(lock, wanted[lock])
        os.close(guard)
    except OSError as error:
        raise BootstrapError(f"The environment in {ENVIRONMENT} could not be made: {error}.") from error


def _hash_of(lock: str) -> str:
    content = (LOCKS / f"{lock}.txt").read_bytes()
    # The interpreter belongs to it: an environment of another version, or of a moved checkout, is of no use.
    version = f"{sys.version_info[:2]} {CHECKOUT}".encode()
    return f"{lock} {hashlib.sha256(content + version).hexdigest()}"


def _is_good(lock: str, wanted: dict[str, str]) -> bool:
    """Whether the environment holds this lock's packages; `dev` holds all of `runtime`."""
    if not MARKER.exists() or not PYTHON.exists():
        return False
    found = MARKER.read_text(encoding="utf-8").strip()
    return found == wanted["dev"] or found == wanted[lock]


def _make(lock: str, marker: str) -> None:
    MARKER.unlink(missing_ok=True)
    if not (PYTHON.exists() and _runs([str(PYTHON), "-m", "pip", "--version"])):
        _say("making the Python environment")
        _make_empty()
    _install(LOCKS / f"{lock}.txt")
    MARKER.write_text(marker + "\n", encoding="utf-8")


def _install(lock: Path) -> None:
    """Install the pinned packages, counting them. Raises BootstrapError with pip's last error."""
    total = sum("==" in line for line in lock.read_text(encoding="utf-8").splitlines())
    command = [str(PYTHON), "-m", "pip", "install", "--require-hashes", "--disable-pip-version-check", "--no-input"]
    _say(f"installing {total} Python packages, pinned in ops/lock/{lock.name}")
    seen, last_error = 0, ""
    with subprocess.Popen(
        [*command, "-r", str(lock)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        for line in pip.stdout or ():
            if line.startswith(("Collecting ", "Requirement already satisfied: ")):
                seen += 1
                _count(seen, total, line)
            elif line.startswith("ERROR:"):
                last_error = line.strip()
    if pip.returncode != 0:
        raise BootstrapError(f"Python packages could not be installed ({last_error}): check network and disk.")


def _count(seen: int, total: int, line: str) -> None:
    if sys.stderr.isatty():
        name = line.split("==", maxsplit=1)[0].rsplit(maxsplit=1)[-1]
        sys.stderr.write(f"\r  {seen}/{total} {name:<40.40}" + ("\n" if seen == total else ""))
        sys.stderr.flush()


def _make_empty() -> None:
    if not _runs([sys.executable, "-c", "import ensurepip, venv"]):
        _get_venv()
    done = subprocess.run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], check=False)
    if done.returncode != 0:
        raise BootstrapError(f"The environment in {ENVIRONMENT} could not be made: see above.")


def _get_venv() -> None:
    """Debian keeps venv and ensurepip in a package of their own."""
    package = "python{}.{}-venv".format(*sys.version_info)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise BootstrapError(f"Python's venv is missing: ask an administrator to run: apt-get install {package}")
    _say(f"installing {package}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "-qq"]
    for step in (["update"], ["install", "-y", "--no-install-recommends", package]):
        if subprocess.run([*apt, *step], stdout=subprocess.DEVNULL, env=environment, check=False).returncode != 0:
            raise BootstrapError(f"apt-get {step[0]} failed: check network and disk, then start again.")


def _runs(command: list[str]) -> bool:
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def _say(text: str) -> None:
    sys.stderr.write(f"mana: {text} …\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
