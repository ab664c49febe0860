"""Publishes each line of the standard input over WebSocket with websockets, and waits for each id.

Usage: python-websockets.py CHANNEL_URL
Prints the id of each message.
"""

import json
import sys

from websockets.sync.client import connect


def answer_to(ref: int, socket) -> dict:
    """The socket is a subscriber too, so what it hears of the channel may come before the answer."""
    return next(event for event in map(json.loads, socket) if event.get("ref") == ref)


if __name__ == "__main__":
    address = sys.argv[1].replace("http", "ws", 1)
    with connect(f"{address}/ws?format=json") as socket:
        for ref, line in enumerate(sys.stdin):
            socket.send(json.dumps({"publish": {"data": line.rstrip("\n")}, "ref": ref}))
            print(answer_to(ref, socket)["published"]["id"], flush=True)
