#!/bin/sh
# Copies the running database of docker-compose.yml, with its WAL, and secrets/ into a folder that is not there yet.
# Run from the checkout: sh ops/backup.sh FOLDER
set -eu
umask 077
folder=${1:?name a folder that is not there yet}
mkdir -p "$(dirname "$folder")"
mkdir "$folder"
cp -Rp secrets "$folder/secrets"
docker compose exec -T postgres sh -c 'PGPASSWORD=$(cat /run/secrets/postgres_password) exec pg_basebackup \
    --host=127.0.0.1 --username=mana_admin --pgdata=- --format=tar --wal-method=fetch --checkpoint=fast --gzip' \
    > "$folder/base.part"
gzip --test "$folder/base.part"
docker compose exec -T postgres sh -c 'PGPASSWORD=$(cat /run/secrets/postgres_password) exec psql --quiet --no-psqlrc \
    --host=127.0.0.1 --username=mana_admin --dbname=mana --set=ON_ERROR_STOP=1 --set=place="$1"' sh "$folder" <<'SQL'
INSERT INTO mana.backups (place) VALUES (:'place');
SQL
# Last of all: a folder without it was broken off, and is no backup.
mv "$folder/base.part" "$folder/base.tar.gz"
echo "$folder is a backup. It holds secrets."
