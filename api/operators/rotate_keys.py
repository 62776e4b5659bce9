"""``python -m api.operators.rotate_keys``: brings a new signing key, in the ordinary way or because one was stolen."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.auth.key_schedule import KeyRules, KeyTimes
from api.auth.keystore import KeyStore
from api.auth.sealing import Unreadable
from api.database import Database
from api.errors import Unavailable
from api.setting_fields import PostgresUrl, SecretKey
from api.settings import complaints


class OperatorSettings(BaseSettings):
    """As the front's; ``DATABASE_URL`` is that of its role."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    database_url: PostgresUrl
    mana_secret_key: SecretKey


async def _rotate(settings: OperatorSettings, *, compromised: bool) -> KeyTimes:
    """The key that signs next, or already."""
    async with Database.connected(settings.database_url, 1, "mana-rotate-keys") as database:
        store, rules = KeyStore(database, settings.mana_secret_key), KeyRules()
        stored = await (store.withdraw_all(rules) if compromised else store.rotate(rules))
    return max(stored.times, key=lambda key: key.active_from)


def _told(key: KeyTimes, *, compromised: bool) -> str:
    if compromised:
        return (
            f"Key {key.kid} ({key.algorithm}) signs. No access token of any other key is good any more:"
            " clients refresh theirs and go on."
        )
    begins = datetime.fromtimestamp(key.active_from, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"Key {key.kid} ({key.algorithm}) is published, and signs from {begins} on. Tokens of today stay good."


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 when it is done, 1 where the database is away, 2 for wrong settings."""
    parser = argparse.ArgumentParser(prog="./mana keys rotate", description="Bring a new signing key.")
    parser.add_argument("--compromised", action="store_true", help="refuse all tokens of the keys of before, at once")
    compromised: bool = parser.parse_args(arguments).compromised
    try:
        settings = OperatorSettings()  # pyright: ignore[reportCallIssue] - the environment gives them
    except ValidationError as error:
        sys.stderr.write("\n".join(complaints(error)) + "\n")
        return 2
    try:
        key = asyncio.run(_rotate(settings, compromised=compromised))
    except Unreadable:
        sys.stderr.write("MANA_SECRET_KEY is not the key that the signing keys were sealed with.\n")
        return 2
    except Unavailable as error:
        sys.stderr.write(f"No key was changed: {error}.\n")
        return 1
    sys.stdout.write(_told(key, compromised=compromised) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
