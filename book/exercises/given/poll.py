"""Long-polling: each answer is complete, and names the cursor of the next question. How long to wait, and for what, is an
exercise."""

import json
import re

from . import server

# Seconds for which a poll is held at most: fewer than the 30 after which some proxies give up.
HOLD = 25


def serve(port, poll, position_of):
    """Serves channels by long-polling until Ctrl-C.

    `poll(channel, position, hold)` returns the messages of an answer; `position_of(channel, cursor)` is where a cursor can be
    continued, or `None`.
    """

    def subscribe(channel, request, query):
        after = query.get("after", "end")
        # Who has no cursor yet is answered at once, and then has one.
        if after in ("start", "end"):
            position = channel.start if after == "start" else channel.head
            return _answer(channel, position, channel.read_after(position), request)
        if not re.fullmatch(r"[0-9a-f]+\.[0-9]+", after):
            return request.refuse(400, "`after` is no cursor; send one that this server has given, or `start`, or `end`")
        position = position_of(channel, after)
        messages = None if position is None else poll(channel, position, _hold_of(query))
        _answer(channel, position, messages, request)

    server.serve(port, "poll", subscribe)


def _hold_of(query):
    """Seconds for which a client wants to wait: `wait`, a whole number."""
    wait = query.get("wait", "")
    return min(HOLD, int(wait)) if re.fullmatch("[0-9]{1,3}", wait) else HOLD


def _answer(channel, position, messages, request):
    """Answers a client that asked for everything after a position."""
    if messages is None:
        position = channel.start
        events = [{"gap": {"resume": channel.cursor(position)}}]
    else:
        position = messages[-1].number if messages else position
        events = [{"message": {"id": channel.cursor(number), "data": text}} for number, text in messages]
    body = {"cursor": channel.cursor(position), "events": events, "more": False}
    request.answer(200, "application/json", json.dumps(body))
