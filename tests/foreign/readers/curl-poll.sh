#!/usr/bin/env bash
# Reads a channel by long-polling with curl: each answer names the next address to ask.
# Usage: curl-poll.sh CHANNEL_URL AFTER COUNT
# Prints one line for each message: its id, a tab, its data.
set -euo pipefail
channel=$1 after=$2 count=$3

headers=$(mktemp)
trap 'rm -f "$headers"' EXIT

address="$channel/poll?after=$after"
while ((count > 0)); do
  answer=$(curl --fail --silent --show-error --dump-header "$headers" "$address")
  mapfile -t messages < <(jq --raw-output '.events[].message | values | "\(.id)\t\(.data)"' <<<"$answer")
  for message in "${messages[@]:0:count}"; do
    printf '%s\n' "$message"
  done
  ((count -= ${#messages[@]})) || true
  # `Link: <?after=k3f9z1.42>; rel="next"` is relative to the address that was asked.
  address="$channel/poll$(sed --quiet --regexp-extended 's/^link: <([^>]*)>; *rel="?next"?.*/\1/Ip' "$headers")"
done
