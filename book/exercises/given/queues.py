"""Server-sent events in the way of most tutorials: a queue for each subscriber. What happens when one of them is full is an
exercise.

The other servers here have no queues. A subscriber is a position in the log, and a slow one is a position that moves
slowly.
"""

import queue

from . import event_stream, server
from .channel import Message

# Messages that wait for one subscriber.
QUEUE = 64

# Seconds after which a subscriber looks whether it was cut off.
LOOK = 1


def serve(port, deliver, event, position):
    """Serves channels as event streams until Ctrl-C. `deliver(subscribers, message)` hands a message to all queues."""

    def publish(channel, text):
        # While somebody publishes or subscribes, nobody else does.
        with channel.published:
            number = channel.publish(text)
            deliver(channel.subscribers, Message(number, text))
            return number

    def subscribe(channel, request, query):
        with channel.published:
            start = event_stream.start_of(channel, request, query, position)
            opening, after = event_stream.opening(channel, start)
            earlier = channel.read_after(after)
            later = queue.Queue(QUEUE)
            channel.subscribers.append(later)
        try:
            event_stream.respond(request)
            request.send(opening)
            for number, text in _messages(channel, earlier, later):
                request.send(event(channel.cursor(number), text))
        finally:
            with channel.published:
                if later in channel.subscribers:
                    channel.subscribers.remove(later)

    server.serve(port, "sse", subscribe, publish)


def _messages(channel, earlier, later):
    """The messages of one subscriber: what was there, then what comes, until it is cut off and its queue is empty."""
    yield from earlier
    while True:
        try:
            yield later.get(timeout=LOOK)
        except queue.Empty:
            if later not in channel.subscribers:
                return
