"""Resume: where a subscriber goes on that was here before."""


# ANCHOR: hole
def position(channel, cursor):
    """The position of a subscriber: everything after it is still to come.

    `cursor` is the last one that the subscriber has seen, such as `5f0c1a7e.42`; a subscriber that comes for the first time
    has `None`, and begins at the head. Where nobody can say that nothing is missing, the position is `None`, and the
    subscriber is told of a gap.
    """
    return channel.head
# ANCHOR_END: hole
