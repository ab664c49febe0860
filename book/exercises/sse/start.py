"""Server-sent events: what one message looks like in the stream."""


# ANCHOR: hole
def event(id, text):
    """Writes one message as an event (WHATWG HTML §9.2.5 and §9.2.6).

    `id` is its cursor, which a browser sends back when it reconnects; `text` is what was published.
    """
    return f"data: {text}\n\n"
# ANCHOR_END: hole
