"""Long-polling: a request that is answered when there is something to say."""


# ANCHOR: hole
def poll(channel, position, hold):
    """Answers the poll of a client that has seen everything up to `position`.

    The answer is what came after it. If there is nothing, the request is held until something comes, for no longer than
    `hold` seconds; then the answer is empty. `None` if nobody can go on from `position`.
    """
    # Nobody publishes in here, except while `wait_for` waits.
    with channel.published:
        # It looks before it waits, so it does not wait for what is there already.
        channel.published.wait_for(lambda: channel.head > position, hold)
        return channel.read_after(position)
# ANCHOR_END: hole
