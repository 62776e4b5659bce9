#!/bin/sh
# Makes what is missing in secrets/, which docker-compose.yml gives to its containers file by file. Run from the checkout.
set -eu
# What Compose hands on to no container; the name alone is said, never the value.
value="[[:space:]]*[=:][[:space:]]*[\"']?[^[:space:]\"'#]"
for name in STRIPE_SECRET_KEY STRIPE_WEBHOOK_SECRET JWT_PRIVATE_KEY JWT_PUBLIC_KEY; do
    if [ -f .env ] && grep -Eq "^[[:space:]]*(export[[:space:]]+)?$name$value" .env; then
        echo "$name is set in .env, which no container is told: move it to secrets/own.json, and out of .env." >&2
        exit 1
    fi
done
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
