"""Where the servers of a running instance are, and who logs in there as what."""

from dataclasses import dataclass

from ops import urls
from ops.state import DatabaseRole, Secrets

DATABASE = "mana"


@dataclass(frozen=True)
class Addresses:
    """Administrators' addresses of the three servers, and what the other logins are made from.

    `own_broker`: the broker is ours, so it is one node and stays one. `pooler`: host and port of a pooler of
    transactions before the database.
    """

    database: str
    amqp: str
    management: str
    redis: str
    secrets: Secrets
    own_broker: bool = False
    pooler: str | None = None

    @property
    def database_name(self) -> str:
        """The database of the service."""
        return urls.database_of(self.database) or DATABASE

    def database_as(self, role: DatabaseRole) -> str:
        """The database's address for one of its roles."""
        url = urls.with_database(self.database, self.database_name)
        return urls.with_login(url, role, self.secrets.roles[role])

    def pooled_as(self, role: DatabaseRole) -> str | None:
        """The same through the pooler, None where there is none."""
        return urls.with_address(self.database_as(role), self.pooler) if self.pooler else None

    def amqp_as(self, login: str) -> str:
        """The broker's address for one of our logins."""
        return urls.with_login(self.amqp, login, self.secrets.login(login))

    @property
    def administrator(self) -> str:
        """The broker's administrator: its name is what workers see as `user_id`."""
        return urls.login_of(self.amqp)[0] or "guest"

    def public(
        self, api_url: str, metrics_urls: list[str], prometheus_url: str, alertmanager_url: str
    ) -> dict[str, str]:
        """What `.mana/env` says."""
        return {
            "MANA_API_URL": api_url,
            "MANA_AMQP_URL": self.amqp,
            "MANA_RABBITMQ_MANAGEMENT_URL": self.management,
            "MANA_DATABASE_READONLY_URL": self.database_as("mana_readonly"),
            "MANA_DATABASE_OWNER_URL": self.database_as("mana_owner"),
            "MANA_REDIS_URL": self.redis,
            "MANA_METRICS_URLS": ",".join(metrics_urls),
            "MANA_PROMETHEUS_URL": prometheus_url,
            "MANA_ALERTMANAGER_URL": alertmanager_url,
        }
