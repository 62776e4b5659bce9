#!/bin/sh
# In a container of docker-compose.yml's `postgres`: sh recover.sh TIME ENDED < base.tar.gz. Makes its empty volume the
# database of the backup, brought to the end of the archived WAL, or to TIME where that is not empty: all of it, or
# nothing. ENDED: when the backup did, which TIME may not lie before.
set -eu
data=/var/lib/postgresql/data wal=/var/lib/postgresql/wal time=$1 ended=$2
if [ -e "$data/PG_VERSION" ]; then
    echo "The volume of PostgreSQL holds a database already: restore where none is yet." >&2
    exit 1
fi
if [ -n "$time" ]; then
    # PostgreSQL itself would stop at the backup's end, and say nothing.
    at=$(date --date="$time" +%s%N)
    end=$(date --date="$ended" +%s%N)
    if [ "$at" -lt "$end" ]; then
        echo "The backup ended at $ended, and an earlier time needs an earlier backup." >&2
        exit 1
    fi
fi
room=$(mktemp -d)
server=
undo() {
    [ -z "$server" ] || kill -s QUIT "$server" || true
    wait
    find "$data" -mindepth 1 -delete
    rm -r "$room"
}
trap undo EXIT
trap 'exit 1' HUP INT TERM
tar --extract --gzip --directory="$data"
chmod 700 "$data"
pg_verifybackup --quiet "$data"

# Always to the end of some archived WAL, be it none, and so to a timeline of its own: what the restored server archives
# never has the name of what the lost one did. It archives nothing yet, and lets nobody in but from here.
touch "$data/recovery.signal"
set -- -c archive_mode=off -c hot_standby=off -c timezone=UTC -c log_timezone=UTC -c port=5432 -c listen_addresses= \
    -c "unix_socket_directories=$room" \
    -c "restore_command=test -e $wal/%f.gz && gzip --decompress --stdout $wal/%f.gz > %p" \
    -c "recovery_target_time=$time" -c recovery_target_action=promote
postgres -D "$data" "$@" > "$room/log" 2>&1 &
server=$!
until pg_isready --quiet --host="$room" --port=5432; do
    if ! kill -0 "$server" 2> /dev/null; then
        server=
        echo "PostgreSQL could not go there: $(grep -E 'FATAL:|PANIC:' "$room/log" | tail -n 1)" >&2
        exit 1
    fi
    sleep 0.2
done
kill -s INT "$server"
wait "$server"
server=

# The password may have been changed since the backup: secrets/ are the backup's. Without a server no login is asked for.
password=$(cat /run/secrets/postgres_password)
printf "ALTER ROLE mana_admin PASSWORD '%s'\n" "$password" |
    postgres --single -D "$data" -c archive_mode=off -c password_encryption=scram-sha-256 template1 > "$room/said" 2>&1
if grep -q ERROR: "$room/said"; then
    echo "The administrator of PostgreSQL could not be given the password of the backup." >&2
    exit 1
fi
# Have the server archive them first of all: it did not while its timeline began, and a later restore needs them.
for history in "$data"/pg_wal/*.history; do
    : > "$data/pg_wal/archive_status/$(basename "$history").ready"
done
trap - EXIT
sed -n 's/.*\(last completed transaction was at log time .*\)/The \1./p' "$room/log"
rm -r "$room"
