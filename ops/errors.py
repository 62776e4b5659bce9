"""What the launcher says when it cannot go on."""

import errno


class LauncherError(Exception):
    """One sentence for the person at the terminal: what is wrong, and what to do about it."""


def sentence(error: OSError) -> str:
    """The same for what the system refused."""
    if error.errno == errno.ENOSPC:
        return "The disk is full: free some space, then start again."
    what = f"{error.strerror}: {error.filename}" if error.filename else str(error)
    return f"The system refused something that is needed ({what}): mend that, or name another place in MANA_HOME."
