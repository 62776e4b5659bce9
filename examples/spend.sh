#!/bin/sh
# Spends a user's credits from the shell: sh examples/spend.sh USER_ID [AMOUNT [KEY [APP]]]
# Through RabbitMQ's management API with curl: for a look at how it works, not for load, and with a login that may use
# that API and make queues. Prints the ledger's answer; exits with 1 where that is no.
set -eu

if [ $# -lt 1 ] || [ $# -gt 4 ] || [ -z "${MANA_AMQP_URL:-}" ] || [ -z "${MANA_RABBITMQ_MANAGEMENT_URL:-}" ]; then
    echo "usage: MANA_AMQP_URL=amqp://… MANA_RABBITMQ_MANAGEMENT_URL=http://… \\" >&2
    echo "       sh examples/spend.sh USER_ID [AMOUNT [KEY [APP]]]" >&2
    exit 2
fi
user=$1 amount=${2:-3} key=${3:-$(cat /proc/sys/kernel/random/uuid)} app=${4:-${APP_ID:-chat}}
login=${MANA_AMQP_URL#*://} login=${login%@*}
queue=spend-$(cat /proc/sys/kernel/random/uuid)
api=$MANA_RABBITMQ_MANAGEMENT_URL/api

call() { # METHOD PATH BODY
    printf '%s' "$3" | curl --silent --show-error --fail --user "$login" \
        --header 'Content-Type: application/json' --request "$1" --data-binary @- "$api/$2"
}

# A queue for the answer; the broker deletes it once it was unused for a minute.
call PUT "queues/%2F/$queue" '{"durable": false, "arguments": {"x-expires": 60000}}'

command='{"userId": "'$user'", "amount": '$amount', "appId": "'$app'", "description": "GPT answer", "idempotencyKey": "'$key'"}'
payload=$(printf '%s' "$command" | sed 's/["\\]/\\&/g')
routed=$(call POST 'exchanges/%2F/credits.commands/publish' '{
    "routing_key": "'"$user"'",
    "payload": "'"$payload"'", "payload_encoding": "string",
    "properties": {"type": "credits.use", "user_id": "'"${login%%:*}"'", "content_type": "application/json",
                   "delivery_mode": 2, "correlation_id": "'"$key"'", "reply_to": "'"$queue"'"}
}')
[ "$routed" = '{"routed":true}' ] || { echo "no queue takes commands: $routed" >&2; exit 1; }

tries=50 found='[]'
while [ "$found" = '[]' ] && [ $tries -gt 0 ]; do
    found=$(call POST "queues/%2F/$queue/get" '{"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}')
    [ "$found" != '[]' ] || sleep 0.2
    tries=$((tries - 1))
done
call DELETE "queues/%2F/$queue" ''
[ "$found" != '[]' ] || { echo "no answer in time: try again with the key $key" >&2; exit 1; }
answer=$(printf '%s\n' "$found" | sed 's/.*"payload":"\(.*\)","payload_encoding".*/\1/; s/\\"/"/g; s/\\\\/\\/g')
printf '%s\n' "$answer"
case $answer in '{"ok":true,'*) ;; *) exit 1 ;; esac
