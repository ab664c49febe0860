"""Reads a channel over WebSocket with websockets, in the format that names the ids.

Usage: python-websockets.py CHANNEL_URL AFTER COUNT
Prints one line for each message: its id, a tab, its data.
"""

import json
import sys
from itertools import islice

from websockets.sync.client import connect


def messages(channel: str, after: str):
    address = channel.replace("http", "ws", 1)
    # Without a bound, because a full queue of unread messages would hide the server's answer to our close.
    with connect(f"{address}/ws?format=json&after={after}", max_queue=None) as socket:
        for frame in socket:
            if message := json.loads(frame).get("message"):
                yield message["id"], message["data"]


if __name__ == "__main__":
    channel, after, count = sys.argv[1:]
    for id, data in islice(messages(channel, after), int(count)):
        print(id, data, sep="\t", flush=True)
