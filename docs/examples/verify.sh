#!/bin/sh
# Proves a number or an address by Usher: verify.sh URL NUMBER|ADDRESS, with the app's key in USHER_APP_KEY. Needs curl and jq.
set -eu
url=$1 to=$2
case $to in *@*) channel=email ;; *) channel=sms ;; esac

call() { # METHOD PATH BODY
    curl -sS -X "$1" "$url/v1/verifications$2" -H "Content-Type: application/json" -d "$3" \
        -H "Idempotency-Key: $(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" -H @- <<END
Authorization: Bearer $USHER_APP_KEY
END
}

started=$(call POST "" "$(jq -n --arg c "$channel" --arg t "$to" '{channel: $c, to: $t, purpose: "try_out"}')")
id=$(printf %s "$started" | jq -r '.data.id // empty')
[ -n "$id" ] || { printf '%s\n' "$started" >&2; exit 1; }
printf 'Code sent to %s: ' "$(printf %s "$started" | jq -r .data.to)" >&2
read -r code
checked=$(call POST "/$id/check" "$(jq -n --arg c "$code" '{code: $c}')")
printf '%s\n' "$checked" | jq -c '.data | {approved, attempts_left}'
[ "$(printf %s "$checked" | jq -r .data.approved)" = true ]
