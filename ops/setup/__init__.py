"""For servers that somebody else runs, as docker-compose.yml does: secrets as files, and what must exist there."""
