"""The slow reader: what happens to the others when one subscriber takes nothing."""

import queue


# ANCHOR: hole
def deliver(subscribers, message):
    """Hands a message to all subscribers. Each of them is a `queue.Queue`, which holds 64 messages.

    A subscriber that is taken out of the list is cut off once its queue is empty. It comes back by itself, with its last
    cursor.
    """
    # Of a copy, since the list changes meanwhile.
    for subscriber in list(subscribers):
        try:
            subscriber.put_nowait(message)
        except queue.Full:
            # It is too slow, and may not be waited for: the next subscriber has done nothing wrong.
            subscribers.remove(subscriber)
# ANCHOR_END: hole
