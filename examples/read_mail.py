"""Reads a mail that `./mana up` wrote instead of sending it: `python3 examples/read_mail.py [--token] ADDRESS SUBJECT`.

Waits up to 10 s for a mail to that address whose subject has these words, and prints the newest one's text, or with
--token only the token of its link. MANA_HOME is where the instance is, .mana by default.
"""

import email
import email.message
import email.policy
import os
import sys
import time
from pathlib import Path


def newest(folder: Path, address: str, subject: str) -> email.message.EmailMessage | None:
    """The last such mail that was written: the files' names are in the order of the mails."""
    for path in sorted(folder.glob("*.eml"), reverse=True):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        if mail["To"] == address and subject in mail["Subject"]:
            return mail
    return None


def main() -> int:
    """Reads the arguments; answers the exit status."""
    given = [argument for argument in sys.argv[1:] if argument != "--token"]
    if len(given) != 2:
        print("usage: python3 examples/read_mail.py [--token] ADDRESS SUBJECT", file=sys.stderr)
        return 2
    folder, deadline = Path(os.environ.get("MANA_HOME", ".mana")) / "mail", time.monotonic() + 10
    while (mail := newest(folder, *given)) is None:
        if time.monotonic() > deadline:
            print(f"No such mail to {given[0]} is in {folder}.", file=sys.stderr)
            return 1
        time.sleep(0.1)
    body = mail.get_body(("plain",))
    text = f"{mail['Subject']}\n\n{body.get_content() if body else ''}"
    print(text.partition("#token=")[2].split()[0] if "--token" in sys.argv else text.strip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
