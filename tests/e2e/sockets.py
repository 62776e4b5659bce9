"""Where a process listens, as the kernel tells it."""

from __future__ import annotations

from pathlib import Path

LOOPBACK = {"0100007F", "00000000000000000000000001000000"}
"""127.0.0.1 and ::1 as /proc/net/tcp and tcp6 write them."""

_LISTENING = "0A"


def is_on_loopback_only(pid: int) -> bool:
    """Whether it listens, and nowhere that another machine could reach."""
    found = listeners(pid)
    return bool(found) and found <= LOOPBACK


def listeners(pid: int) -> set[str]:
    """The addresses, of both IP versions, hexadecimal; in whichever namespace of the network the process is."""
    held = _sockets(pid)
    found: set[str] = set()
    for table in ("tcp", "tcp6"):
        path = Path(f"/proc/{pid}/net/{table}")
        lines = path.read_text().splitlines()[1:] if path.exists() else []  # a kernel without IPv6 has no tcp6
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTENING and f"socket:[{fields[9]}]" in held:
                found.add(fields[1].split(":")[0])
    return found


def _sockets(pid: int) -> set[str]:
    found: set[str] = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(str(descriptor.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    return found
