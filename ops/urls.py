"""Addresses of servers, taken apart and put together."""

from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

_AMQP_PORTS = {"amqp": 5672, "amqps": 5671}
_MANAGEMENT_PORT = 15672
# RabbitMQ's own habit: the management port is the AMQP port with a 1 in front.
_MANAGEMENT_OFFSET = 10_000


def with_login(url: str, user: str, password: str) -> str:
    """The same address with another login."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{host}"))


def with_database(url: str, database: str) -> str:
    """The same server and login with another database."""
    return urlunsplit(urlsplit(url)._replace(path="/" + quote(database, safe="")))


def with_address(url: str, address: str) -> str:
    """The same login and database at another host and port, with no options."""
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@{address}" if login else address, query=""))


def address_of(url: str, port: int) -> tuple[str, int]:
    """Host and port, `port` where none is named."""
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or port


def options_of(url: str) -> dict[str, str]:
    """What stands behind the question mark."""
    return dict(parse_qsl(urlsplit(url).query))


def database_of(url: str) -> str | None:
    """The database that a PostgreSQL address names, None where it names none."""
    return unquote(urlsplit(url).path.removeprefix("/")) or None


def login_of(url: str) -> tuple[str, str]:
    """User and password, unescaped; empty where the address has none."""
    parts = urlsplit(url)
    return unquote(parts.username or ""), unquote(parts.password or "")


def vhost_of(amqp_url: str) -> str:
    """The virtual host of an AMQP address; "/" where the path is empty or a lone slash."""
    return unquote(urlsplit(amqp_url).path.removeprefix("/")) or "/"


def where(url: str) -> str:
    """Host and port without the login: what may be shown."""
    return urlsplit(url).netloc.rpartition("@")[2]


def management_candidates(amqp_url: str) -> list[str]:
    """Where the management API of an AMQP server usually is."""
    parts = urlsplit(amqp_url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    beside = (parts.port or _AMQP_PORTS.get(parts.scheme, _AMQP_PORTS["amqp"])) + _MANAGEMENT_OFFSET
    scheme = "https" if parts.scheme == "amqps" else "http"
    return [f"{scheme}://{host}:{port}" for port in dict.fromkeys((beside, _MANAGEMENT_PORT))]
