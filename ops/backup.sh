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
# The first segment that it needs: those before it serve no restore of this backup.
tar --extract --gzip --to-stdout --file="$folder/base.part" backup_label |
    sed -n 's/^START WAL LOCATION: .* (file \([0-9A-F]*\))$/\1/p' > "$folder/wal_from"
test -s "$folder/wal_from"
docker compose exec -T postgres sh -c 'PGPASSWORD=$(cat /run/secrets/postgres_password) exec psql --quiet --no-psqlrc \
    --tuples-only --no-align --host=127.0.0.1 --username=mana_admin --dbname=mana --set=ON_ERROR_STOP=1 \
    --set=place="$1"' sh "$folder" > "$folder/ended" <<'SQL'
SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
INSERT INTO mana.backups (place) VALUES (:'place');
SQL
# Last of all: a folder without it was broken off, and is no backup.
mv "$folder/base.part" "$folder/base.tar.gz"
echo "$folder is a backup. It holds secrets."
