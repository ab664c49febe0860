#!/usr/bin/env bash
# Reads a channel as a stream of JSON objects, one a line, with curl and jq.
# Usage: curl-stream.sh CHANNEL_URL AFTER COUNT
# Prints one line for each message: its id, a tab, its data.
set -euo pipefail
channel=$1 after=$2 count=$3

exec 3< <(exec curl --fail --silent --show-error --no-buffer "$channel/stream?after=$after")
trap 'kill "$!" 2>/dev/null || true' EXIT

jq --null-input --unbuffered --raw-output --argjson count "$count" \
  'limit($count; inputs.message | values) | "\(.id)\t\(.data)"' <&3
