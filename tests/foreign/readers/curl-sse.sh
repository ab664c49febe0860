#!/usr/bin/env bash
# Reads a channel as server-sent events with curl. Bash does what an EventSource does: it collects the fields of a
# block, and a blank line dispatches them.
# Usage: curl-sse.sh CHANNEL_URL AFTER COUNT
# Prints one line for each message: its id, a tab, its data.
set -euo pipefail
channel=$1 after=$2 count=$3

# A newcomer says in the address where to begin. Whoever comes back says it in the header, as an EventSource does.
where=(--header "Last-Event-ID: $after" "$channel/sse")
[[ $after == *.* ]] || where=("$channel/sse?after=$after")

exec 3< <(exec curl --fail --silent --show-error --no-buffer "${where[@]}")
trap 'kill "$!" 2>/dev/null || true' EXIT

event='' id='' data=''
while ((count > 0)) && IFS= read -r -u 3 line; do
  case $line in
    'event: '*) event=${line#event: } ;;
    'id: '*) id=${line#id: } ;;
    'data: '*) data=${line#data: } ;;
    '')
      # What has no event type is a message; `hello` and the like are named.
      if [[ -z $event && -n $data ]]; then
        printf '%s\t%s\n' "$id" "$data"
        ((count -= 1)) || true
      fi
      event='' data=''
      ;;
  esac
done
((count == 0))
