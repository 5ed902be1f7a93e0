#!/bin/sh
# A loan system asks for a profile, with curl: open a query, follow it, fetch the
# profile. ATOLL_URL is https://HOST:PORT of the bank's node, ATOLL_CA a file with the
# certificate that signs the node's, ATOLL_TOKEN a token with the role officer,
# ATOLL_CONSENT the id of the consent. ATOLL_TEMPLATE is a file with the template of
# the profile as a JSON string; without it the node's own template counts.
set -eu

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
umask 077
printf 'header = "Authorization: Bearer %s"\ncacert = "%s"\n' "$ATOLL_TOKEN" "$ATOLL_CA" >"$scratch/curl" # not in argv
call() { curl --config "$scratch/curl" --silent --show-error --fail-with-body "$@"; }

call "$ATOLL_URL/v1/status" >"$scratch/status"

# The same key asks once, however often the request is sent.
printf '{"consent":"%s","wait_ms":30000%s}' "$ATOLL_CONSENT" "${ATOLL_TEMPLATE:+,\"template\":$(cat "$ATOLL_TEMPLATE")}" >"$scratch/question"
call --dump-header "$scratch/headers" --header 'Content-Type: application/json' --header "Idempotency-Key: walk-sh-$ATOLL_CONSENT" \
	--data-binary "@$scratch/question" "$ATOLL_URL/v1/queries" >"$scratch/opened"
query=$(tr -d '\r' <"$scratch/headers" | sed -n 's/^[Ll]ocation: //p')
echo "query $query"

# It ends with the result, or with the error.
call --no-buffer "$ATOLL_URL$query/events" | sed -n 's/^event: //p'

call "$ATOLL_URL$query/profile" >profile.json
call --header 'Accept: text/html' "$ATOLL_URL$query/profile?lang=zh" >profile.html
