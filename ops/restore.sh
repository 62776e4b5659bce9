#!/bin/sh
# Makes secrets/ and the database of docker-compose.yml out of what ops/backup.sh made, where neither is there yet.
# Run from the checkout: sh ops/restore.sh FOLDER
set -eu
umask 077
folder=${1:?name a backup}
if [ ! -e "$folder/base.tar.gz" ]; then
    echo "$folder is no backup: base.tar.gz is missing." >&2
    exit 1
fi
if [ -e secrets ]; then
    echo "secrets/ is there already: restore where nothing is yet." >&2
    exit 1
fi
cp -Rp "$folder/secrets" secrets
trap 'rm -rf secrets' EXIT
docker compose run --rm --no-deps -T --entrypoint sh postgres -c '
    if [ -e /var/lib/postgresql/data/PG_VERSION ]; then
        echo "The volume of PostgreSQL holds a database already: restore where none is yet." >&2
        exit 1
    fi
    exec tar --extract --gzip --directory=/var/lib/postgresql/data' < "$folder/base.tar.gz"
trap - EXIT
docker compose up --detach --wait postgres
# Whose credits were low at the backup may have been charged since: ./mana restore holds top-ups back for the same reason.
docker compose exec -T postgres sh -c 'PGPASSWORD=$(cat /run/secrets/postgres_password) exec psql --quiet --no-psqlrc \
    --host=127.0.0.1 --username=mana_admin --dbname=mana --set=ON_ERROR_STOP=1' <<'SQL'
UPDATE credits.topup_rounds SET due_at = 'infinity';
SQL
echo "The database is restored: docker compose up --build --detach starts the rest."
echo "Automatic top-ups are held back until 'docker compose run --rm mana stripe reconcile' has found nothing that differs."
