#!/bin/sh
# Makes secrets/ and the database of docker-compose.yml out of what ops/backup.sh made, where neither is there yet: as of
# the end of the archived WAL that is there, or of a TIME such as 2027-01-31T12:00:00Z, inclusive.
# Run from the checkout: sh ops/restore.sh FOLDER [TIME]
set -eu
umask 077
folder=${1:?name a backup}
time=${2:-}
if [ ! -e "$folder/base.tar.gz" ]; then
    echo "$folder is no backup: base.tar.gz is missing." >&2
    exit 1
fi
if [ -n "$time" ] && [ ! -e "$folder/ended" ]; then
    echo "$folder is of before WAL was archived, and goes to its own end alone: leave the time out." >&2
    exit 1
fi
if [ -e secrets ]; then
    echo "secrets/ is there already: restore where nothing is yet." >&2
    exit 1
fi
cp -Rp "$folder/secrets" secrets
trap 'rm -rf secrets' EXIT
docker compose build --quiet postgres
docker compose run --rm --no-deps -T --entrypoint sh postgres /etc/mana/recover.sh "$time" \
    "$([ -z "$time" ] || cat "$folder/ended")" < "$folder/base.tar.gz"
trap - EXIT
docker compose up --detach --wait postgres
# Whose credits were low at the backup may have been charged since: ./mana restore holds top-ups back for the same reason.
docker compose exec -T postgres sh -c 'PGPASSWORD=$(cat /run/secrets/postgres_password) exec psql --quiet --no-psqlrc \
    --host=127.0.0.1 --username=mana_admin --dbname=mana --set=ON_ERROR_STOP=1' <<'SQL'
UPDATE credits.topup_rounds SET due_at = 'infinity';
SQL
echo "The database is restored: docker compose up --build --detach starts the rest."
echo "Automatic top-ups are held back until 'docker compose run --rm mana stripe reconcile' has found nothing that differs."
