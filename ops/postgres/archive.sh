#!/bin/sh
# PostgreSQL's archive_command in docker-compose.yml: sh archive.sh SEGMENT TARGET. TARGET.gz appears under its name once
# it is whole and on the disk, and is never replaced; while it is not there, PostgreSQL keeps the segment and asks again.
set -eu
if [ -e "$2.gz" ]; then
    # Archived already, by a server that was killed before it noted that; or by another one, whose WAL is not ours.
    gzip --decompress --stdout "$2.gz" | cmp --silent - "$1" && exit
    echo "$2.gz is there, and holds something else: nothing is replaced." >&2
    exit 1
fi
gzip --fast < "$1" > "$2.part"
sync "$2.part"
mv "$2.part" "$2.gz"
sync "$(dirname "$2")"
