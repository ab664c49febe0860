"""Server-sent events: a response that never ends. What one event looks like, and where a subscriber begins, are
exercises."""

from . import server

# Seconds for which a stream is silent at most. Proxies cut off what is silent for longer.
HEARTBEAT = 5

# Milliseconds that a browser waits before it connects again, as the stream tells it.
RETRY = 2000


def serve(port, event, position):
    """Serves channels as event streams until Ctrl-C.

    `event(id, text)` writes one message as an event; `position(channel, cursor)` finds where a subscriber goes on that brings
    this cursor or `None`, and returns `None` if it cannot.
    """

    def subscribe(channel, request, query):
        # Before the head is sent: who has seen it is a subscriber.
        start = start_of(channel, request, query, position)
        respond(request)
        for text in _events(channel, start, event):
            request.send(text)

    server.serve(port, "sse", subscribe)


def respond(request):
    """Sends the head of a response whose body is an endless stream of events."""
    request.send_response(200)
    request.send_header("Content-Type", "text/event-stream")
    request.send_header("Cache-Control", "no-store, no-transform")
    # Tells nginx to pass on what it gets.
    request.send_header("X-Accel-Buffering", "no")
    # The body has no length: it ends when the connection does.
    request.send_header("Connection", "close")
    request.end_headers()


def start_of(channel, request, query, position):
    """Where a subscriber begins; `None` if it cannot go on from its cursor."""
    # A browser that reconnects sends the last `id` that it has seen, which is newer than the cursor in the address.
    cursor = request.headers.get("Last-Event-ID") or query.get("after", "end")
    return channel.start if cursor == "start" else position(channel, None if cursor == "end" else cursor)


def _events(channel, start, event):
    """A subscriber's stream, for as long as somebody takes it."""
    hello, position = opening(channel, start)
    yield hello
    while True:
        with channel.published:
            has_news = channel.published.wait_for(lambda: channel.head > position, HEARTBEAT)
            messages = channel.read_after(position)
        if messages is None:
            # It was so slow that its next message is forgotten.
            position = channel.start
            yield _gap(channel.cursor(position))
        elif has_news:
            position = messages[-1].number
            yield "".join(event(channel.cursor(number), text) for number, text in messages)
        else:
            yield ": heartbeat\n\n"


def opening(channel, start):
    """The beginning of a stream, and the position after which its events begin.

    The first block has an `id`, so that even a connection that drops before the first message goes on where it was.
    """
    position = channel.start if start is None else start
    cursor = channel.cursor(position)
    hello = f'retry: {RETRY}\nevent: hello\nid: {cursor}\ndata: {{"cursor":"{cursor}"}}\n\n'
    return (hello if start is not None else hello + _gap(cursor)), position


def _gap(resume):
    """Tells a subscriber that something is missing before the next event."""
    return f'event: gap\nid: {resume}\ndata: {{"resume":"{resume}"}}\n\n'
