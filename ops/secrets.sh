#!/bin/sh
# Makes what is missing in secrets/, which docker-compose.yml gives to its containers file by file. Run from the checkout.
set -eu
mkdir -p secrets
chmod 700 secrets
docker compose build setup
docker run --rm --network none --user "$(id -u):$(id -g)" -v "$PWD/secrets:/secrets" mana:local \
    python -m ops.setup secrets /secrets
echo "secrets/ is complete. Keep a copy of it apart from the database's backups: without state.json nobody signs in."
