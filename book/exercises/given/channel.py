"""Channels by name, and one channel: a log, and a signal that it has grown.

A subscriber is a position in the log. Its cursor, `EPOCH.NUMBER`, is what a client sends to go on from there.
"""

import secrets
from collections import deque
from itertools import islice
from threading import Condition, Lock
from typing import NamedTuple

# Messages that a channel keeps.
CAPACITY = 1000

# Channels that there can be.
MOST_CHANNELS = 1000


class Message(NamedTuple):
    """A message with its number: 1, 2, 3 … in the order in which they were published."""

    number: int
    text: str


class Channel:
    """A channel. Who publishes appends to the log, and who subscribes reads it from a position on.

    `with channel.published:` keeps others from publishing; `channel.published.wait(seconds)` lets them, until somebody
    does or the time is up.
    """

    def __init__(self):
        # A name for this log, different in every run: a position means nothing in another log.
        self.epoch = secrets.token_hex(4)
        self.published = Condition()
        # The number of the newest message, or 0 before the first.
        self.head = 0
        self._messages = deque(maxlen=CAPACITY)
        # The queues of subscribers, in a server that has queues.
        self.subscribers = []

    @property
    def start(self):
        """The position before the oldest message that is still here."""
        with self.published:
            return self.head - len(self._messages)

    def publish(self, text):
        """Appends a message, wakes whoever waits for it, and returns its number."""
        with self.published:
            self.head += 1
            self._messages.append(Message(self.head, text))
            self.published.notify_all()
            return self.head

    def read_after(self, position):
        """The messages after a position, oldest first; `None` if nobody can go on from there."""
        with self.published:
            start = self.start
            if not start <= position <= self.head:
                return None
            return list(islice(self._messages, position - start, None))

    def cursor(self, position):
        """The cursor of a position."""
        return f"{self.epoch}.{position}"


_channels = {}
_lock = Lock()


def channel_of(name):
    """The channel of this name, which comes to be when it is first asked for; `None` if there are too many."""
    with _lock:
        if name not in _channels and len(_channels) < MOST_CHANNELS:
            _channels[name] = Channel()
        return _channels.get(name)
