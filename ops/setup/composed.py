"""Where docker-compose.yml's servers are, for those who start beside them."""

from ops.addresses import DATABASE
from ops.servers import postgres, rabbitmq
from ops.settings import Settings
from ops.state import Secrets

POOLER = "pgbouncer:6432"


def servers(secrets: Secrets, chosen: Settings) -> Settings:
    """The settings with an administrator's address for each server: as chosen, else docker-compose.yml's."""
    boss, password = rabbitmq.ADMINISTRATOR, secrets.login(rabbitmq.ADMINISTRATOR)
    database = f"postgresql://{postgres.ADMINISTRATOR}:{secrets.postgres_admin}@postgres:5432/{DATABASE}"
    managed = chosen.rabbitmq_management_url or ("" if chosen.amqp_url else "http://rabbitmq:15672")
    return chosen.model_copy(
        update={
            "database_url": chosen.database_url or database,
            "amqp_url": chosen.amqp_url or f"amqp://{boss}:{password}@rabbitmq:5672/",
            "rabbitmq_management_url": managed or None,
            "redis_url": chosen.given_redis or f"redis://:{secrets.redis}@redis:6379/0",
        }
    )
