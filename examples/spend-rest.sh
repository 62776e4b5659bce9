#!/bin/sh
# Registers a user, logs in, spends credits by REST and reads the balance: sh examples/spend-rest.sh [AMOUNT [KEY [APP]]]
# MANA_API_URL is the front's address. Prints the user, the ledger's answer and the balance, each as JSON.
set -eu

if [ $# -gt 3 ] || [ -z "${MANA_API_URL:-}" ]; then
    echo "usage: MANA_API_URL=http://… sh examples/spend-rest.sh [AMOUNT [KEY [APP]]]" >&2
    exit 2
fi
amount=${1:-3} key=${2:-$(cat /proc/sys/kernel/random/uuid)} app=${3:-${APP_ID:-chat}}
email=$(cat /proc/sys/kernel/random/uuid)@example.com password=$(cat /proc/sys/kernel/random/uuid)
api=$MANA_API_URL/api/v1

post() { # PATH BODY [HEADER]: the answer; one that tells of an error is printed too, and ends the script
    printf '%s' "$2" | curl --silent --show-error --fail-with-body --write-out '\n' --header 'Content-Type: application/json' \
        --header "${3:-Accept: application/json}" --data-binary @- "$api/$1"
}

credentials='{"email": "'$email'", "password": "'$password'"}'
post auth/register "$credentials"
session=$(post auth/login "$credentials")
token=$(printf '%s' "$session" | sed 's/.*"accessToken":"\([^"]*\)".*/\1/')

use='{"amount": '$amount', "appId": "'$app'", "description": "GPT answer", "idempotencyKey": "'$key'"}'
post credits/use "$use" "Authorization: Bearer $token"
curl --silent --show-error --fail-with-body --write-out '\n' --header "Authorization: Bearer $token" "$api/credits/balance"
