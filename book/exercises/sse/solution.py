"""Server-sent events: what one message looks like in the stream."""

import re


# ANCHOR: hole
def event(id, text):
    """Writes one message as an event (WHATWG HTML §9.2.5 and §9.2.6).

    `id` is its cursor, which a browser sends back when it reconnects; `text` is what was published.
    """
    # The standard ends a line at CRLF, at CR and at LF. So a line of the text must not be able to end ours.
    lines = [f"data: {line}\n" for line in re.split(r"\r\n|\r|\n", text)]
    return f"id: {id}\n{''.join(lines)}\n"
# ANCHOR_END: hole
