"""Long-polling: a request that is answered when there is something to say."""


# ANCHOR: hole
def poll(channel, position, hold):
    """Answers the poll of a client that has seen everything up to `position`.

    The answer is what came after it. If there is nothing, the request is held until something comes, for no longer than
    `hold` seconds; then the answer is empty. `None` if nobody can go on from `position`.
    """
    with channel.published:
        has_news = channel.published.wait(hold)
        return channel.read_after(channel.head - 1) if has_news else []
# ANCHOR_END: hole
