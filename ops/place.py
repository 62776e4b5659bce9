"""Where an instance keeps its things. One place, one instance."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent

# Where data goes that servers with users of their own cannot reach inside the home.
REACHABLE = Path("/var/lib/mana")


@dataclass(frozen=True)
class Place:
    """The folder `MANA_HOME` (`.mana` in the checkout by default) and the names in it."""

    home: Path

    @classmethod
    def from_environment(cls) -> "Place":
        """The place that MANA_HOME names, else the checkout's own."""
        named = os.environ.get("MANA_HOME")
        return cls(Path(named).expanduser().absolute() if named else CHECKOUT / ".mana")

    @property
    def lock(self) -> Path:
        """Held by the supervisor for as long as it lives."""
        return self.home / "lock"

    @property
    def state(self) -> Path:
        """What must survive a stop: secrets, ports, where the data lies."""
        return self.home / "state.json"

    @property
    def status(self) -> Path:
        """What the supervisor tells about its processes."""
        return self.home / "status.json"

    @property
    def env(self) -> Path:
        """The addresses of a running instance, as KEY=value lines."""
        return self.home / "env"

    @property
    def rotation(self) -> Path:
        """Which passwords the supervisor is asked to change."""
        return self.home / "rotation.json"

    @property
    def upgrade(self) -> Path:
        """To which version the supervisor is asked to go."""
        return self.home / "upgrade.json"

    @property
    def upgrading(self) -> Path:
        """Held by the one `./mana up` that upgrades."""
        return self.home / "upgrading"

    @property
    def handover(self) -> Path:
        """What a supervisor leaves to the version of itself that it becomes."""
        return self.home / "handover.json"

    @property
    def logs(self) -> Path:
        """One file for each process."""
        return self.home / "logs"

    @property
    def definitions(self) -> Path:
        """What a restored place's broker has yet to be told of others' things."""
        return self.home / "definitions.json"

    @property
    def dead_letters(self) -> Path:
        """Those that a restored place's broker has yet to be given."""
        return self.home / "dead_letters.jsonl"

    @property
    def mails(self) -> Path:
        """Where mails lie that no server was named for."""
        return self.home / "mail"

    @property
    def data_inside(self) -> Path:
        """The servers' data, where their users can reach it."""
        return self.home / "data"


def new_data_outside() -> Path:
    """A folder for the servers' data, where the home is for root's eyes only.

    Its name is random: a home that was removed and made again must not meet the data of the first one, whose
    passwords are gone.
    """
    return REACHABLE / secrets.token_hex(8)
