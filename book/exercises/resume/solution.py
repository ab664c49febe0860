"""Resume: where a subscriber goes on that was here before."""

import re


# ANCHOR: hole
def position(channel, cursor):
    """The position of a subscriber: everything after it is still to come.

    `cursor` is the last one that the subscriber has seen, such as `5f0c1a7e.42`; a subscriber that comes for the first time
    has `None`, and begins at the head. Where nobody can say that nothing is missing, the position is `None`, and the
    subscriber is told of a gap.
    """
    if cursor is None:
        return channel.head
    epoch, _, digits = cursor.partition(".")
    if epoch != channel.epoch or not re.fullmatch("[0-9]{1,15}", digits):
        return None
    number = int(digits)
    # Beyond these two lies what is forgotten, and what has never been.
    return number if channel.start <= number <= channel.head else None
# ANCHOR_END: hole
