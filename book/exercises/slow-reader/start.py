"""The slow reader: what happens to the others when one subscriber takes nothing."""


# ANCHOR: hole
def deliver(subscribers, message):
    """Hands a message to all subscribers. Each of them is a `queue.Queue`, which holds 64 messages.

    A subscriber that is taken out of the list is cut off once its queue is empty. It comes back by itself, with its last
    cursor.
    """
    for subscriber in subscribers:
        # Waits while the queue is full.
        subscriber.put(message)
# ANCHOR_END: hole
