"""Reads a channel as server-sent events with httpx-sse.

Usage: python-httpx-sse.py CHANNEL_URL AFTER COUNT
Prints one line for each message: its id, a tab, its data.
"""

import sys
from itertools import islice

import httpx
from httpx_sse import connect_sse


def where(after: str) -> dict:
    """A newcomer says in the address where to begin; whoever comes back says it in the header."""
    return {"headers": {"Last-Event-ID": after}} if "." in after else {"params": {"after": after}}


def messages(channel: str, after: str):
    with httpx.Client(timeout=None) as client, connect_sse(client, "GET", f"{channel}/sse", **where(after)) as source:
        for event in source.iter_sse():
            if event.event == "message":
                yield event.id, event.data


if __name__ == "__main__":
    channel, after, count = sys.argv[1:]
    for id, data in islice(messages(channel, after), int(count)):
        print(id, data, sep="\t", flush=True)
