"""The system users that servers run as. PostgreSQL and RabbitMQ refuse root, so root hands them over."""

import functools
import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# No right of root's, and none to be had from a program that grants some.
_CONFINED = ("--no-new-privs", "--inh-caps=-all", "--bounding-set=-all")


@dataclass(frozen=True)
class Identity:
    """Who a process runs as; `user` None means: as ourselves. A confined one has none of root's rights."""

    user: str | None = None
    confined: bool = False

    @classmethod
    def of_server(cls, package_user: str) -> "Identity":
        """The package's own user when we are root, else ourselves."""
        return cls(package_user) if os.geteuid() == 0 else cls()

    def command(self, argv: list[str], *, death_signal: str | None = None) -> list[str]:
        """`argv` as this user. setpriv execs, so the process id is the server's own.

        `death_signal` is what the kernel sends to the process should its parent die.
        """
        options = [*_CONFINED] if self.confined and _can_be_confined() else []
        if self.user is not None:
            options += [f"--reuid={self.user}", f"--regid={_group(self.user)}", "--init-groups"]
        if death_signal is not None:
            options.append(f"--pdeathsig={death_signal}")
        return ["setpriv", *options, "--", *argv] if options else argv

    def own(self, path: Path) -> None:
        """Give `path` to this user."""
        if self.user is not None:
            shutil.chown(path, self.user, _group(self.user))

    def can_enter(self, folder: Path) -> bool:
        """Whether this user may pass through `folder` and all folders above it."""
        return subprocess.run(self.command(["test", "-x", str(folder)]), check=False).returncode == 0


@functools.cache
def _can_be_confined() -> bool:
    """Whether that is allowed here, and our programs can still be read: root without rights sees its own files only."""
    question = ["test", "-r", sys.executable, "-a", "-r", __file__]
    return subprocess.run(["setpriv", *_CONFINED, "--", *question], check=False, capture_output=True).returncode == 0


def _group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid


def own_folder(path: Path, identity: Identity) -> Path:
    """Make `path` a folder that only `identity` may enter."""
    path.mkdir(mode=0o700, exist_ok=True)
    identity.own(path)
    path.chmod(0o700)
    return path


def give_file(path: Path, text: str, identity: Identity) -> None:
    """Write a file that only `identity` may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    path.chmod(0o600)
    identity.own(path)
