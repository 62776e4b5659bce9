#!/bin/sh
# Makes what is missing in secrets/, which docker-compose.yml gives to its containers file by file. Run from the checkout.
set -eu
compose=$(docker compose version --short)
case "${compose#v}" in
    [01].* | 2.[0-9] | 2.[0-9].* | 2.[12][0-9].* | 2.3[0-4].*)
        echo "Docker Compose $compose stops Traefik when a front is replaced: 2.35 or later is needed." >&2
        exit 1
        ;;
esac
mkdir -p secrets
chmod 700 secrets
docker compose build setup
docker run --rm --network none --user "$(id -u):$(id -g)" -v "$PWD/secrets:/secrets" mana:local \
    python -m ops.setup secrets /secrets
echo "secrets/ is complete. Keep a copy of it apart from the database's backups: without state.json nobody signs in."
