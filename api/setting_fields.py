"""The kinds of values that settings have: each reads its text, and says what is wrong with it without showing it."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator
from pydantic_settings import NoDecode

from contracts.durations import read_duration

_COUNT: Final = re.compile(r"[1-9][0-9]{0,5}|1000000")
_RATE_TIME_MAX: Final = timedelta(days=1)


def parts_of(value: object) -> tuple[str, ...]:
    """The parts of a list with commas; empty ones do not count."""
    return tuple(part.strip() for part in str(value).split(",") if part.strip())


@dataclass(frozen=True)
class Rate:
    """So many in a time: ``30/15m``."""

    count: int
    per: timedelta


def rate(value: object) -> Rate:
    """Reads a number and a duration of a day at most. Raises ``ValueError`` for anything else, and for none at all."""
    count, _, per = str(value).partition("/")
    if _COUNT.fullmatch(count.strip()) is None or not per:
        raise ValueError("is no rate such as 30/15m, of 1 to 1000000 in a time")
    read = Rate(int(count), read_duration(per))
    if read.per > _RATE_TIME_MAX:
        raise ValueError("is a rate over more than a day")
    return read


def _public_url(value: object) -> str:
    parts = urlsplit(str(value))
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("is no address such as https://mana.example.com, without a path")
    return f"{parts.scheme}://{parts.netloc}"


def _origins(value: object) -> tuple[str, ...]:
    origins = parts_of(value)
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query:
            raise ValueError(f"holds {origin!r}, which is no origin such as https://app.example.com")
    return origins


def _secret_key(value: object) -> bytes:
    try:
        key = base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("is not base64") from error
    if len(key) != 32:
        raise ValueError(f"holds {len(key)} bytes, 32 are needed")
    if len(set(key)) < 8:
        raise ValueError("is a placeholder, not 32 random bytes")
    return key


def _url(*schemes: str) -> AfterValidator:
    def check(value: str) -> str:
        try:
            parts = urlsplit(value)
            missing = not parts.hostname and not parts.query
            _ = parts.port
        except ValueError as error:
            raise ValueError("is not a URL") from error
        if parts.scheme not in schemes or missing:
            raise ValueError(f"is not a URL that begins with {schemes[0]}://")
        return value

    return AfterValidator(check)


def _pem(value: object) -> str:
    """PEM text; ``\\n`` written out is read as a line's end, since many environments cannot hold several lines."""
    return str(value).replace("\\n", "\n").strip()


Duration = Annotated[timedelta, BeforeValidator(read_duration)]
Pem = Annotated[str, BeforeValidator(_pem)]
PostgresUrl = Annotated[str, _url("postgresql", "postgres")]
AmqpUrl = Annotated[str, _url("amqp", "amqps")]
RedisUrl = Annotated[str, _url("redis", "rediss")]
Port = Annotated[int, Field(ge=1, le=65535)]
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins)]
PublicUrl = Annotated[str, BeforeValidator(_public_url)]
RateField = Annotated[Rate, NoDecode, PlainValidator(rate)]
SecretKey = Annotated[bytes, PlainValidator(_secret_key)]
