#!/usr/bin/env bash
# Publishes each line of the standard input with curl, as everybody would: `curl -d`.
# Usage: curl.sh CHANNEL_URL
# Prints the id of each message.
set -euo pipefail
channel=$1

while IFS= read -r line; do
  curl --fail --silent --show-error --data-raw "$line" "$channel" | jq --raw-output .id
done
